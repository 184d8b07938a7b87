import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { MountRequest } from "./container-settings.ts";
import { destinationOf } from "./volume.ts";

/** Docker's, each of which a user's option may turn. */
export const tmpfsDefaults: readonly string[] = ["noexec", "nosuid", "nodev"];

const flags = new Set(
  (
    "rw ro exec noexec suid nosuid dev nodev sync async dirsync mand nomand atime noatime diratime nodiratime " +
    "relatime norelatime strictatime nostrictatime defaults"
  ).split(" "),
);

/** `--tmpfs /x[:size=64m,mode=1777,ro]`. @throws RtError invalid-argument */
export function parseTmpfs(text: string): MountRequest {
  rejectControl("--tmpfs", text);
  const colon = text.indexOf(":");
  const [path, options] = colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
  return tmpfsMount(path, options, `--tmpfs ${quote(text)}`);
}

/** @param options "size=64m,mode=1777,ro", or "" for the defaults alone. @throws RtError invalid-argument */
export function tmpfsMount(path: string, options: string, what: string): MountRequest {
  const chosen = new Map(tmpfsDefaults.map((option) => [topicOf(option), option]));
  let readonly = false;
  for (const option of options === "" ? [] : options.split(",")) {
    if (option === "ro" || option === "rw") readonly = option === "ro";
    else chosen.set(topicOf(option), checkTmpfsOption(option, what));
  }
  const none = { source: "", createSource: false, labels: {} };
  const destination = destinationOf(path, what);
  return { type: "tmpfs", destination, readonly, options: [...chosen.values()], ...none };
}

/** What an option decides: a later one of the same topic replaces it ("exec" over "noexec", "mode=1" over "mode=2"). */
function topicOf(option: string): string {
  const equals = option.indexOf("=");
  if (equals >= 0) return option.slice(0, equals);
  return option === "async" ? "sync" : option.replace(/^no/, "");
}

/** The option itself. @throws RtError invalid-argument, `what` in front */
export function checkTmpfsOption(option: string, what: string): string {
  if (flags.has(option)) return option;
  const [key, value] = option.split("=", 2) as [string, string | undefined];
  const good =
    (key === "size" && /^\d+[kmg%]?$/i.test(value ?? "")) ||
    (key === "mode" && /^[0-7]{1,5}$/.test(value ?? "")) ||
    (/^(uid|gid)$/.test(key) && /^\d{1,10}$/.test(value ?? "")) ||
    (/^nr_(inodes|blocks)$/.test(key) && /^\d+[kmg]?$/i.test(value ?? "")) ||
    (key === "mpol" &&
      /^(default|local|(prefer|bind|interleave)(=(static|relative))?:[\d-]+)$/.test(value ?? "")) ||
    (key === "huge" && /^(never|always|within_size|advise)$/.test(value ?? ""));
  if (!good) throw invalid(`invalid ${what}: bad tmpfs option ${quote(option)}`);
  return option;
}
