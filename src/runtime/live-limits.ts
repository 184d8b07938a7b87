import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asSystemError, codeOfErrno, RtError } from "../base/errors.ts";
import { hierarchyOf, writeText } from "./hierarchies.ts";
import type { LimitFile } from "./limit-files.ts";

/** Of those that are not required a host may lack some. */
type LiveFile = LimitFile & { required: boolean };

/**
 * Write limits into the control group of a container that runs, frozen or not. All or nothing: where one of them cannot be had,
 * those before it are set back.
 * @param group below each hierarchy's root
 * @throws RtError in a line that names the flag
 */
export function writeLimits(group: string, files: readonly LiveFile[]): void {
  const written: [path: string, before: string][] = [];
  const later: LiveFile[] = [];
  const write = (file: LiveFile, isLast: boolean) => {
    const { path, value } = placeOf(group, file);
    const before = valueIn(path);
    const failure = failureOf(() => writeText(path, value));
    const errno = asSystemError(failure)?.code;
    // What goes with another limit (a quota with its period) can come first or last: that depends on what was there.
    if (errno === "EINVAL" && !isLast) later.push(file);
    else if (failure && file.required) throw refused(group, file, failure);
    else if (before !== undefined && isOneValue(before)) written.push([path, before]);
  };
  try {
    for (const file of inOrder(group, files)) write(file, false);
    for (const file of later) write(file, true);
  } catch (error) {
    for (const [path, before] of written.reverse()) setBack(path, before);
    throw error;
  }
}

/** Where the host has no such file it is what there is instead. */
function placeOf(group: string, file: LimitFile): { path: string; value: string } {
  const { controller, instead, value } = file;
  const path = pathOf(group, file);
  if (!instead || existsSync(path)) return { path, value };
  return { path: pathOf(group, { controller, name: instead.name }), value: instead.value };
}

function failureOf(step: () => void): unknown {
  try {
    step();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Lists by device are added to, line by line. */
function isOneValue(text: string): boolean {
  return !text.includes(":") && !text.trim().includes("\n");
}

/** It was so a moment ago; if the container has gone meanwhile there is nothing to set. */
function setBack(path: string, before: string): void {
  failureOf(() => writeText(path, before.trim()));
}

/** On v1 the sum with swap is never below the memory, not even in between: what grows first makes room. */
function inOrder(group: string, files: readonly LiveFile[]): LiveFile[] {
  const [memory, sum] = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"].map((name) =>
    files.find((file) => file.name === name),
  );
  if (!memory || !sum) return files.flatMap((file) => shrinking(group, file));
  const now = Number(valueIn(pathOf(group, sum)) ?? 0);
  const grows = sum.value === "-1" || Number(sum.value) >= now;
  const pair = grows ? [sum, memory] : [memory, sum];
  return [...pair, ...files.filter((file) => !pair.includes(file))];
}

/**
 * v2 kills what is above a limit; v1 refuses it. So here too: first the kernel is asked to take back what it can, by the limit
 * that only slows down, and where that is not enough it is refused.
 */
function shrinking(group: string, file: LiveFile): LiveFile[] {
  if (file.name !== "memory.max" || file.value === "max") return [file];
  const path = (name: string) => pathOf(group, { ...file, name });
  const wanted = Number(file.value);
  const used = () => Number(valueIn(path("memory.current")) ?? 0);
  if (used() <= wanted) return [file];
  const high = valueIn(path("memory.high"));
  try {
    writeText(path("memory.high"), file.value);
    if (used() > wanted) throw tooMuch(file, used());
    return [file];
  } finally {
    if (high !== undefined) setBack(path("memory.high"), high);
  }
}

function tooMuch({ flag, value }: LimitFile, used: number): RtError {
  return new RtError(
    "conflict",
    `${flag}: unable to set memory limit to ${value} (current usage: ${used}): it is in use`,
  );
}

function refused(group: string, file: LimitFile, error: unknown): RtError {
  const code = asSystemError(error)?.code;
  if (code === "EBUSY" && file.controller === "memory") {
    const used = valueIn(pathOf(group, { ...file, name: "memory.usage_in_bytes" }));
    return tooMuch(file, Number(used ?? 0));
  }
  const why = code === undefined ? String(error) : code;
  return new RtError(
    code === undefined ? "internal" : codeOfErrno(code),
    `${file.flag}: cannot set ${file.name} of its cgroup to ${file.value}: ${why}`,
    { cause: error },
  );
}

/** As the stage finds it (zig-native/linux/cgroup.zig). */
function pathOf(group: string, { controller, name }: Pick<LimitFile, "controller" | "name">): string {
  const hierarchy = hierarchyOf(controller) ?? hierarchyOf(undefined);
  return join(hierarchy?.directory ?? "/sys/fs/cgroup", group, name);
}

function valueIn(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
