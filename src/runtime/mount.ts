import { mkdirSync } from "node:fs";
import { mount } from "../native/system.ts";

/** mount(8)'s options that are the kernel's own; any other is the file system's. linux/mount.h */
const flags: Readonly<Record<string, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  sync: 16,
  dirsync: 128,
  noatime: 1 << 10,
  nodiratime: 1 << 11,
  bind: 1 << 12,
  rbind: (1 << 12) | (1 << 14),
  relatime: 1 << 21,
  strictatime: 1 << 24,
  lazytime: 1 << 25,
  rw: 0,
  defaults: 0,
};
const [remount, bind, ofMount] = [32, flags.bind!, flags.ro! | flags.nosuid! | flags.nodev! | flags.noexec!];

export interface FileSystemMount {
  source: string;
  target: string;
  type: string;
  options: readonly string[];
}

/** mount(2) in our own mount namespace. The target directory is made if it is missing. @throws RtError */
export function mountFileSystem(request: FileSystemMount): void {
  const { source, target, type, options } = request;
  const isFlag = (option: string) => Object.hasOwn(flags, option);
  const bits = options.filter(isFlag).reduce((sum, option) => sum | flags[option]!, 0);
  const data = options.filter((option) => !isFlag(option)).join(",");
  mkdirSync(target, { recursive: true });
  mount(source, target, type, bits, data);
  // The kernel looks at a bind's other flags only when it is mounted again.
  if ((bits & bind) !== 0 && (bits & ofMount) !== 0) mount("", target, "", bits | remount, "");
}
