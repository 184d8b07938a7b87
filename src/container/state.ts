import { readFileSync, statSync } from "node:fs";
import { isErrno, while_ } from "../base/errors.ts";
import type { ContainerState } from "./record.ts";

/**
 * What a container is doing, from the files that its monitor leaves in its state directory:
 *
 *   lock    flock'ed by the monitor as long as it lives
 *   pid     "init <pid> <start time>\nmonitor <pid> <start time>\nstarted <unix ns>\n", once the program runs
 *   exit    "code <n>\nfinished <unix ns>\nerror <text>\n", by rename(2), before the monitor ends
 *
 *   exit file?   lock held?   pid file?    state
 *   yes          -            -            exited
 *   no           yes          yes          running
 *   no           yes          no           created (about to start)
 *   no           no           yes          exited, lost: the monitor was killed, and its container with it
 *   no           no           no           created, or what the store remembers of the exit
 */
export interface Observation {
  state: ContainerState;
  /** What the monitor wrote of itself and of the program; the processes may be gone. 0 when unknown. */
  monitor: ProcessName;
  init: ProcessName;
  /** There was no orderly end: mounts, cgroups and the exit record are left to whoever sees this. */
  needsCleanup: boolean;
}

/** A pid in our namespace, and field 22 of /proc/PID/stat, which tells it from a later process of the same number. */
interface ProcessName {
  pid: number;
  startTime: string;
}

/** What the store keeps of an exit. Times as in ContainerState. */
export interface ExitFacts {
  exitCode: number;
  startedAt: string;
  finishedAt: string;
  error: string;
}

export const zeroTime = "0001-01-01T00:00:00Z";
/** As if by SIGKILL, which is what happens to the program when its monitor dies. */
const lostExitCode = 137;
const lostError = "the monitor was killed";

/**
 * @param directory <state>/containers/<id>; it need not exist
 * @param recorded  the exit facts in the store, if somebody has written them
 * @param isLocked  does another process hold the flock of this file? False for a file that does not exist.
 */
export function observe(
  directory: string,
  recorded: ExitFacts | undefined,
  isLocked: (path: string) => boolean,
): Observation {
  const first = look(directory, recorded, isLocked);
  // Between our looking for the exit file and at the lock the monitor may have written the one and let go of the other.
  return first.needsCleanup ? look(directory, recorded, isLocked) : first;
}

function look(
  directory: string,
  recorded: ExitFacts | undefined,
  isLocked: (path: string) => boolean,
): Observation {
  const exit = fieldsOf(`${directory}/exit`);
  const locked = exit === undefined && isLocked(`${directory}/lock`);
  const pids = fieldsOf(`${directory}/pid`);
  const startedAt = time(pids?.get("started")) ?? recorded?.startedAt ?? zeroTime;
  const monitor = processIn(pids?.get("monitor"));
  const init = processIn(pids?.get("init"));
  if (exit) {
    return { state: exited(exitFacts(exit, startedAt)), monitor, init, needsCleanup: false };
  }
  if (locked) {
    const status = init.pid > 0 ? "running" : "created";
    const state = { ...unstarted, status, ...init, startedAt } as const;
    return { state, monitor, init, needsCleanup: false };
  }
  if (recorded) return { state: exited(recorded), monitor, init, needsCleanup: false };
  if (pids === undefined) return { state: { ...unstarted }, monitor, init, needsCleanup: false };
  const finishedAt = fileTime(`${directory}/pid`);
  const lost = { exitCode: lostExitCode, startedAt, finishedAt, error: lostError };
  return { state: exited(lost), monitor, init, needsCleanup: true };
}

const unstarted: ContainerState = {
  status: "created",
  pid: 0,
  startTime: "",
  exitCode: 0,
  startedAt: zeroTime,
  finishedAt: zeroTime,
  error: "",
};

function exited(facts: ExitFacts): ContainerState {
  return { status: "exited", pid: 0, startTime: "", ...facts };
}

function exitFacts(fields: Map<string, string>, startedAt: string): ExitFacts {
  const code = Number(fields.get("code"));
  return {
    exitCode: Number.isInteger(code) ? code : lostExitCode,
    startedAt,
    finishedAt: time(fields.get("finished")) ?? zeroTime,
    error: fields.get("error") ?? "",
  };
}

/** "key rest of the line" for each line, or undefined when there is no such file. */
function fieldsOf(path: string): Map<string, string> | undefined {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    throw while_(`cannot read ${path}`, error);
  }
  const fields = new Map<string, string>();
  for (const line of content.split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) fields.set(line.slice(0, space), line.slice(space + 1));
  }
  return fields;
}

function processIn(text: string | undefined): ProcessName {
  const match = /^(\d+) (\d+)$/.exec(text ?? "");
  return match ? { pid: Number(match[1]), startTime: match[2]! } : { pid: 0, startTime: "" };
}

/** Nanoseconds since 1970 as RFC 3339 with nanoseconds; undefined when it is not a number or was never. */
function time(nanoseconds: string | undefined): string | undefined {
  if (!nanoseconds || !/^\d{1,19}$/.test(nanoseconds) || /^0+$/.test(nanoseconds)) return undefined;
  const whole = BigInt(nanoseconds);
  const seconds = new Date(Number(whole / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(whole % 1_000_000_000n).padStart(9, "0")}Z`;
}

function fileTime(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.mtime.toISOString() ?? zeroTime;
}
