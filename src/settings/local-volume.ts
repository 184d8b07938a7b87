import { mountFlags as flag } from "../base/linux.ts";

/** A volume's own file system, as mount(2) takes it. */
export interface LocalMount {
  /** "tmpfs", "nfs", "none", … */
  type: string;
  device: string;
  /** MS_*, without those of propagation. */
  flags: number;
  /** MS_PRIVATE and its kin, with MS_REC where all below is meant; 0: nothing was said. */
  propagation: number;
  /** For the file system: "size=64m,uid=1000". */
  data: string;
}

const needs: readonly [option: string, needed: readonly string[]][] = [
  ["device", ["type"]],
  ["type", ["device"]],
  ["o", ["device", "type"]],
];

/** What is wrong with options of Docker's local driver, in its words (moby volume/local, `validateOpts`); undefined: nothing. */
export function localOptionsProblem(options: Readonly<Record<string, string>>): string | undefined {
  const known = new Set(["type", "o", "device", "size"]);
  for (const [option, value] of Object.entries(options)) {
    if (!known.has(option)) return `invalid option: ${JSON.stringify(option)}`;
    if (hasControl(value)) return `option ${option} ${JSON.stringify(value)} has a control character`;
  }
  // Of a directory of ours only a project quota could do that.
  if (options.size !== undefined && !/^0+(\.0*)?\s*[kmgtp]?(i?b)?$/i.test(options.size))
    return "quota size requested but no quota support";
  for (const [option, needed] of needs) {
    const missing = options[option] === undefined ? undefined : needed.find((each) => !(each in options));
    if (missing !== undefined) return `missing required option: ${JSON.stringify(missing)}`;
  }
  return undefined;
}

function hasControl(text: string): boolean {
  return [...text].some((letter) => letter < " " || letter === "\u007f");
}

/** @returns undefined where the volume is a directory and nothing else */
export function localMountOf({ type, device, o }: Readonly<Record<string, string>>): LocalMount | undefined {
  if (type === undefined || device === undefined) return undefined;
  let [flags, propagation] = [0, 0];
  const data: string[] = [];
  for (const option of (o ?? "").split(",").filter((each) => each !== "")) {
    const said = Object.hasOwn(words, option) ? words[option]! : undefined;
    const spread = Object.hasOwn(propagations, option) ? propagations[option]! : undefined;
    if (said) flags = said[0] === "+" ? flags | said[1] : flags & ~said[1];
    else if (spread !== undefined) propagation = spread;
    else data.push(option);
  }
  return { type, device, flags, propagation, data: data.join(",") };
}

/** mount(8)'s options that are the kernel's own, as moby/sys/mount has them. */
const words: Readonly<Record<string, readonly ["+" | "-", number]>> = {
  defaults: ["+", 0],
  ro: ["+", flag.RDONLY],
  rw: ["-", flag.RDONLY],
  suid: ["-", flag.NOSUID],
  nosuid: ["+", flag.NOSUID],
  dev: ["-", flag.NODEV],
  nodev: ["+", flag.NODEV],
  exec: ["-", flag.NOEXEC],
  noexec: ["+", flag.NOEXEC],
  sync: ["+", flag.SYNCHRONOUS],
  async: ["-", flag.SYNCHRONOUS],
  dirsync: ["+", flag.DIRSYNC],
  mand: ["+", flag.MANDLOCK],
  nomand: ["-", flag.MANDLOCK],
  atime: ["-", flag.NOATIME],
  noatime: ["+", flag.NOATIME],
  diratime: ["-", flag.NODIRATIME],
  nodiratime: ["+", flag.NODIRATIME],
  relatime: ["+", flag.RELATIME],
  norelatime: ["-", flag.RELATIME],
  strictatime: ["+", flag.STRICTATIME],
  nostrictatime: ["-", flag.STRICTATIME],
  bind: ["+", flag.BIND],
  rbind: ["+", flag.BIND | flag.REC],
};

const propagations: Readonly<Record<string, number>> = {
  private: flag.PRIVATE,
  rprivate: flag.PRIVATE | flag.REC,
  shared: flag.SHARED,
  rshared: flag.SHARED | flag.REC,
  slave: flag.SLAVE,
  rslave: flag.SLAVE | flag.REC,
  unbindable: flag.UNBINDABLE,
  runbindable: flag.UNBINDABLE | flag.REC,
};

/** The value of `addr=` among a file system's options, which may be the name of a host. */
export function addressIn(data: string): string | undefined {
  return /(?:^|,)addr=([^,]+)/.exec(data)?.[1];
}

/** Docker's words for a mount that failed (moby/sys/mount): a password is nobody's business. */
export function mountFailure({ device, flags, data }: LocalMount, target: string, why: string): string {
  const flagsSaid = flags === 0 ? "" : `, flags: 0x${flags.toString(16)}`;
  const dataSaid = data === "" ? "" : `, data: ${data.replace(/((?:^|,)password=)[^,]*/g, "$1********")}`;
  return `failed to mount local volume: mount ${device}:${target}${flagsSaid}${dataSaid}: ${why}`;
}
