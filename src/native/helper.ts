import { readFileSync } from "node:fs";
import rtHolder from "#native/rt-holder" with { type: "file" };
import rtLayer from "#native/rt-layer" with { type: "file" };
import rtMonitor from "#native/rt-monitor" with { type: "file" };
import { check, cstring, errnoName, native } from "./ffi.ts";

/** The static helper programs that travel inside this executable. */
export type Helper = "rt-monitor" | "rt-layer" | "rt-holder";

const files: Record<Helper, string> = {
  "rt-monitor": rtMonitor,
  "rt-layer": rtLayer,
  "rt-holder": rtHolder,
};
const sealed = new Map<Helper, number>();

/** Where an unlinked file stands in for a memfd on hosts that forbid to execute those (vm.memfd_noexec=2). */
const fallbackDirectories = ["/var/lib", "/run", "/dev/shm", "/tmp", "/"];

/** A sealed memfd with the helper's program; made once per process, stays open. */
export function helperDescriptor(helper: Helper): number {
  const known = sealed.get(helper);
  if (known !== undefined) return known;
  const bytes = readFileSync(files[helper]);
  let result = -1;
  for (const directory of fallbackDirectories) {
    result = native().rt_sealed_file(cstring(helper), bytes, bytes.length, 1, cstring(directory));
    if (result >= 0) break;
  }
  const fd = check(result, `cannot prepare ${helper}${hintFor(result)}`);
  sealed.set(helper, fd);
  return fd;
}

/** What the kernel says of the last directory helps nobody. */
function hintFor(result: number): string {
  if (result >= 0 || !["ENOENT", "EACCES", "EROFS", "EOPNOTSUPP"].includes(errnoName(-result))) return "";
  return `: vm.memfd_noexec is 2, and none of ${fallbackDirectories.join(", ")} takes a file that may be executed`;
}

/** A path that executes the helper, for Bun.spawn: valid in this process and, until it executes, in its children. */
export function helperPath(helper: Helper): string {
  return `/proc/self/fd/${helperDescriptor(helper)}`;
}

/** Execute `helper role` in a session of its own with `descriptors` as its 0, 1, 2 …; answers its pid. */
export function spawnHelper(helper: Helper, role: string, descriptors: readonly number[]): number {
  const list = Int32Array.from(descriptors);
  const result = native().rt_spawn(
    helperDescriptor(helper),
    cstring(helper),
    cstring(role),
    list,
    list.length,
  );
  const pid = check(result, `cannot start ${helper}`);
  running.add(pid);
  return pid;
}

/** Helpers that we have started and not waited for. */
const running = new Set<number>();

/** Has a helper that we started ended? Once it has, it is no zombie any more. */
export function hasEnded(pid: number): boolean {
  if (!running.has(pid)) return true;
  const ended = check(native().rt_ended(pid), "cannot wait for a helper") === 1;
  if (ended) running.delete(pid);
  return ended;
}

/**
 * For a process that lives longer than those that it has started and nobody waits for, as a daemon lives longer than monitors:
 * none of them stays a zombie, until disposed of.
 */
export function reapHelpers(): Disposable {
  const reap = () => {
    for (const pid of running) hasEnded(pid);
  };
  process.on("SIGCHLD", reap);
  reap();
  return { [Symbol.dispose]: () => void process.off("SIGCHLD", reap) };
}
