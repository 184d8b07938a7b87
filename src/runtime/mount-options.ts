import { mountAttributes as attribute, mountFlags as flag } from "../base/linux.ts";

/** What mount(8) calls an attribute of a mount: what it sets, and what it clears, for mount_setattr(2). */
const attributes: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  ro: [attribute.readonly, 0],
  rw: [0, attribute.readonly],
  nosuid: [attribute.nosuid, 0],
  suid: [0, attribute.nosuid],
  nodev: [attribute.nodev, 0],
  dev: [0, attribute.nodev],
  noexec: [attribute.noexec, 0],
  exec: [0, attribute.noexec],
  relatime: [0, attribute.atime_mask],
  norelatime: [0, attribute.atime_mask],
  noatime: [attribute.noatime, attribute.atime_mask],
  atime: [0, attribute.atime_mask],
  strictatime: [attribute.strictatime, attribute.atime_mask],
  nostrictatime: [0, attribute.atime_mask],
  nodiratime: [attribute.nodiratime, 0],
  diratime: [0, attribute.nodiratime],
  nosymfollow: [attribute.nosymfollow, 0],
  symfollow: [0, attribute.nosymfollow],
};

const propagations: Readonly<Record<string, number>> = {
  private: flag.PRIVATE,
  slave: flag.SLAVE,
  shared: flag.SHARED,
  unbindable: flag.UNBINDABLE,
};

/** Accepted from fstab habit; they mean nothing for a mount that we make. */
const ignored = new Set("defaults async auto noauto user nouser owner group _netdev nofail".split(" "));

/** What the options of an OCI mount mean (config.md, "Linux mount options"); the rest is for the file system. */
export interface MountOptions {
  bind: boolean;
  /** A bind with all that is mounted below. */
  recursive: boolean;
  set: number;
  clear: number;
  /** Attributes for every mount below too (`rro`). */
  setRecursive: number;
  /** 0: nothing was said. */
  propagation: number;
  propagationRecursive: boolean;
  /** "size=64m" */
  data: string[];
}

/** Later options win. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const result: MountOptions = {
    ...{ bind: false, recursive: false, set: 0, clear: 0, setRecursive: 0 },
    ...{ propagation: 0, propagationRecursive: false, data: [] },
  };
  for (const option of options) if (!take(result, option)) result.data.push(option);
  return result;
}

function take(result: MountOptions, option: string): boolean {
  if (ignored.has(option)) return true;
  if (option === "bind" || option === "rbind") {
    result.bind = true;
    result.recursive ||= option === "rbind";
    return true;
  }
  const known = own(attributes, option);
  if (known) {
    const [set, clear] = known;
    result.set = (result.set & ~clear) | set;
    result.clear = (result.clear & ~set) | clear;
    return true;
  }
  // "r" before the name of what it is for all mounts below.
  const below = option.startsWith("r") ? option.slice(1) : "";
  const set = own(attributes, below)?.[0];
  if (set) {
    result.setRecursive |= set;
    return true;
  }
  const propagation = own(propagations, option) ?? own(propagations, below);
  if (propagation === undefined) return false;
  result.propagation = propagation;
  result.propagationRecursive = own(propagations, option) === undefined;
  return true;
}

function own<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
