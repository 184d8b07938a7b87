import type { RtError } from "../base/errors.ts";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { AskedSettings } from "./container-settings.ts";
import { parseLabelOption } from "./selinux.ts";
import { allPaths, isWholeTree, patternOf } from "./system-paths.ts";

type Settings = Pick<
  AskedSettings,
  "noNewPrivileges" | "seccomp" | "apparmor" | "landlock" | "labelOptions" | "mask" | "unmask"
>;
/** What an option changes; those of before it are there. */
type Take = (value: string, options: Settings, complain: (why: string) => RtError) => void;

/** `NAME=VALUE`, or as Docker first had it `NAME:VALUE`. */
const takes: Readonly<Record<keyof typeof wanted, Take>> = {
  "no-new-privileges"(value, options, complain) {
    if (!/^(true|false)?$/.test(value)) throw complain("want true or false");
    options.noNewPrivileges = value !== "false";
  },
  seccomp(value, options, complain) {
    if (value === "") throw complain("want unconfined, builtin or a profile");
    options.seccomp = isSeccompWord(value) ? value : checkProfile(value, complain);
  },
  apparmor(value, options, complain) {
    if (!/^[^\s"]{1,250}$/.test(value)) throw complain("want unconfined or a profile's name");
    options.apparmor = value;
  },
  landlock(value, options, complain) {
    if (value !== "unconfined" && value !== "builtin") throw complain("want unconfined or builtin");
    delete options.landlock;
    if (value === "unconfined") options.landlock = value;
  },
  label(value, options, complain) {
    options.labelOptions = [...options.labelOptions, parseLabelOption(value, complain)];
  },
  systempaths(value, options, complain) {
    if (value !== "confined" && value !== "unconfined") throw complain("want confined or unconfined");
    options.unmask = value === "unconfined" ? [allPaths, ...writable(options)] : [];
  },
  mask(value, options, complain) {
    const paths = pathsOf(value, complain);
    if (paths.some(isWholeTree)) throw complain("the whole file tree cannot be hidden");
    options.mask = [...options.mask, ...paths];
  },
  unmask(value, options, complain) {
    const paths = value.toUpperCase() === allPaths ? [allPaths] : pathsOf(value, complain);
    for (const path of paths) checkPattern(path, complain);
    options.unmask = paths.includes(allPaths)
      ? [allPaths, ...writable(options)]
      : [...options.unmask, ...paths];
  },
  // Docker 28's word for what podman's unmask= has besides.
  "writable-cgroups"(value, options, complain) {
    if (!/^(true|false)?$/.test(value)) throw complain("want true or false");
    if (value !== "false") options.unmask = [...options.unmask, cgroups];
  },
};

/** A container's own, which are writable where that is said by name: all that is hidden is not all that is read-only. */
const cgroups = "/sys/fs/cgroup";

function writable({ unmask }: Settings): string[] {
  return unmask.filter((path) => path === cgroups);
}

/** What each is called where it is missing. */
const wanted = {
  "no-new-privileges": "no-new-privileges",
  seccomp: "seccomp=",
  apparmor: "apparmor=",
  landlock: "landlock=",
  label: "label=",
  systempaths: "systempaths=",
  mask: "mask=",
  unmask: "unmask=",
  "writable-cgroups": "writable-cgroups=",
};

/** What `seccomp=` has besides profiles. */
export function isSeccompWord(value: string): boolean {
  return value === "unconfined" || value === "builtin";
}

/** Few have one of their own. @returns it, without the space between its words */
function checkProfile(json: string, complain: (why: string) => RtError): string {
  if (!json.trimStart().startsWith("{")) throw complain("want unconfined, builtin or a profile");
  const { checkSeccompProfile } = require("./seccomp-profile.ts") as typeof import("./seccomp-profile.ts");
  return checkSeccompProfile(json, "seccomp profile");
}

/** "/a:/b" */
function pathsOf(value: string, complain: (why: string) => RtError): string[] {
  const paths = value.split(":");
  if (paths.some((path) => !path.startsWith("/"))) throw complain("want absolute paths, with : between them");
  return paths;
}

function checkPattern(path: string, complain: (why: string) => RtError): void {
  try {
    patternOf(path);
  } catch {
    throw complain(`${quote(path)} is no pattern: a [ or a \\ in it does not end`);
  }
}

/**
 * `--security-opt`, several times; of one that may come once the last wins.
 * @throws RtError invalid-argument
 */
export function parseSecurityOptions(texts: readonly string[], what = "--security-opt"): Settings {
  const options: Settings = { noNewPrivileges: false, labelOptions: [], mask: [], unmask: [] };
  for (const text of texts) {
    const complain = (why: string) => invalid(`invalid ${what} ${quote(text)}: ${why}`);
    const [, name = "", value = ""] = /^([a-z-]+)(?:[=:](.*))?$/s.exec(text) ?? [];
    if (!Object.hasOwn(takes, name)) throw complain(`want one of ${Object.values(wanted).join(", ")}`);
    if (name !== "seccomp") rejectControl(what, value);
    takes[name as keyof typeof wanted](value, options, complain);
  }
  return options;
}

/** As they are asked for. That nothing is hidden is said elsewhere in Docker's documents. */
export function securityOptionTexts(settings: Settings): string[] {
  const { noNewPrivileges, seccomp, apparmor, landlock, labelOptions, mask, unmask } = settings;
  return [
    ...(noNewPrivileges ? ["no-new-privileges"] : []),
    ...(seccomp !== undefined ? [`seccomp=${seccomp}`] : []),
    ...(apparmor !== undefined ? [`apparmor=${apparmor}`] : []),
    ...(landlock !== undefined ? [`landlock=${landlock}`] : []),
    ...labelOptions.map((option) => `label=${option}`),
    ...(mask.length > 0 ? [`mask=${mask.join(":")}`] : []),
    ...unmask.flatMap((path) => (path === allPaths ? [] : [`unmask=${path}`])),
  ];
}
