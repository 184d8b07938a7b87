import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";

/** A mounted hierarchy of control groups. */
export interface Hierarchy {
  directory: string;
  /** What of it is mounted there: "/" but for some containers. */
  root: string;
  /** Of v1; the unified one of v2 has none here. */
  controllers: readonly string[];
}

let found: readonly Hierarchy[] | undefined;

/** All of them. Where they are mounted is looked for once: they stay there. */
export function hierarchies(): readonly Hierarchy[] {
  found ??= mounted();
  return found;
}

/** The hierarchy of a v1 controller, or with undefined the unified one. */
export function hierarchyOf(controller: string | undefined): Hierarchy | undefined {
  return hierarchies().find(({ controllers }) =>
    controller === undefined ? controllers.length === 0 : controllers.includes(controller),
  );
}

/** Of the hierarchy that a controller is in, by its name in either version; undefined: in none. */
export function versionOf(controller: string): 1 | 2 | undefined {
  if (hierarchyOf(controller)) return 1;
  const unified = hierarchyOf(undefined);
  const has =
    unified && textOf(`${unified.directory}/cgroup.controllers`).trim().split(" ").includes(controller);
  return has ? 2 : undefined;
}

/** "36 31 0:34 / /sys/fs/cgroup/freezer rw,relatime shared:5 - cgroup cgroup rw,freezer", proc_pid_mountinfo(5) */
function mounted(): Hierarchy[] {
  const lines = textOf("/proc/self/mountinfo").split("\n");
  return lines.flatMap((line) => {
    const [mount = "", kind = ""] = line.split(" - ");
    const match = /^cgroup(2?) \S+ (\S+)/.exec(kind);
    if (!match) return [];
    const options = match[2]!.split(",").filter((word) => word !== "rw" && word !== "ro");
    const [root = "/", directory = ""] = mount.split(" ").slice(3, 5).map(unescaped);
    return [{ directory, root, controllers: match[1] ? [] : options }];
  });
}

function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Of one of the kernel's files; "" where it cannot be read. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Of a file of a group's that is there: none is made. */
export function writeText(path: string, text: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}
