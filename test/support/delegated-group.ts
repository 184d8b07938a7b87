/**
 * A group of the unified hierarchy that belongs to a user, as root delegates one without systemd (docs/delegation.md).
 *
 *   const group = DelegatedGroup.make(user.uid);
 *   await user.rt(["run", …], { front: group.front });        started in it
 *   await group.remove();
 */
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { until } from "./wait.ts";

/** What of a group has to be his besides its directory; those that this kernel has. */
const files = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

let counter = 0;

export class DelegatedGroup {
  /** In the hierarchy: absolute. */
  readonly path: string;
  readonly directory: string;
  /** Words before a command: it begins in the group. */
  readonly front: readonly string[];

  readonly #top: string;

  private constructor(path: string, directory: string, top: string) {
    this.#top = top;
    this.path = path;
    this.directory = directory;
    // Once rt has passed controllers on there is nobody in the group itself: the leaf for those is beside the containers' groups.
    const enter = (place: string) => `echo $$ >${place}/cgroup.procs`;
    const script = `${enter(directory)} 2>/dev/null || ${enter(`${directory}/init`)}; exec "$@"`;
    this.front = ["sh", "-c", script, "sh"];
  }

  /** @param controllers the only ones that are passed on to it; all of the hierarchy's */
  static make(uid: number, controllers?: readonly string[]): DelegatedGroup {
    const name = `/rt-test-${process.pid}-${counter++}`;
    const path = controllers === undefined ? name : `${name}/part`;
    const directory = join(unified(), path);
    mkdirSync(directory, { recursive: true });
    if (controllers !== undefined) {
      const passed = controllers.map((controller) => `+${controller}`).join(" ");
      writeFileSync(join(unified(), name, "cgroup.subtree_control"), passed);
    }
    for (const name of ["", ...files]) {
      const file = join(directory, name);
      if (existsSync(file)) chownSync(file, uid, uid);
    }
    return new DelegatedGroup(path, directory, join(unified(), name));
  }

  /** What has just ended is counted a moment longer than it is listed. */
  async remove(): Promise<void> {
    await until(`${this.#top} goes`, () => {
      try {
        removeGroups(this.#top);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
        return false;
      }
    });
  }
}

function unified(): string {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((each) => each.includes(" - cgroup2 "));
  if (!line) throw new Error("this host has no cgroup v2");
  return line.split(" ")[4]!;
}

function removeGroups(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroups(join(directory, entry.name));
  rmdirSync(directory);
}
