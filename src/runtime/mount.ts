import { mkdirSync } from "node:fs";
import { mountFlags as flag } from "../base/linux.ts";
import { mount } from "../native/system.ts";

/** mount(8)'s options that are the kernel's own; any other is the file system's. */
const flags: Readonly<Record<string, number>> = {
  ro: flag.RDONLY,
  nosuid: flag.NOSUID,
  nodev: flag.NODEV,
  noexec: flag.NOEXEC,
  sync: flag.SYNCHRONOUS,
  dirsync: flag.DIRSYNC,
  noatime: flag.NOATIME,
  nodiratime: flag.NODIRATIME,
  bind: flag.BIND,
  rbind: flag.BIND | flag.REC,
  relatime: flag.RELATIME,
  strictatime: flag.STRICTATIME,
  lazytime: flag.LAZYTIME,
  rw: 0,
  defaults: 0,
};
const ofMount = flag.RDONLY | flag.NOSUID | flag.NODEV | flag.NOEXEC;

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
  if ((bits & flag.BIND) !== 0 && (bits & ofMount) !== 0) mount("", target, "", bits | flag.REMOUNT, "");
}

/** What is at `source` is seen at `target`, where there is a file already. @throws RtError */
export function bindFile(source: string, target: string): void {
  mount(source, target, "", flag.BIND, "");
}
