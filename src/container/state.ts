import { existsSync, statSync } from "node:fs";
import type { Circumstances } from "./circumstances.ts";
import type { ContainerState } from "./record.ts";
import { readStateFile } from "./state-file.ts";

/**
 * What a container is doing, from the files that its monitor leaves in its state directory:
 *
 *   lock    flock'ed by the monitor as long as it lives
 *   pid     "init <pid> <start time>\nmonitor <pid> <start time>\nstarted <unix ns>\n", once the program runs
 *   exit    "code <n>\nfinished <unix ns>\nerror <text>\n", by rename(2), before the monitor ends; with lines "signal <n>"
 *           where it was one, and "oom <killed> <limit> <peak>" where memory was short
 *   log-error  "errno <n>\nsince <unix ns>\n", once a line of the log was lost
 *   record  what we want of it, once more (state-file.ts)
 *
 * Once the exit is in the store the directory goes: what is in it is what the store does not know yet.
 *
 *   exit file?   lock held?   pid file?    state
 *   yes          -            -            exited
 *   yes          yes          -            restarting, where there is a file `restarting` (restarting.ts)
 *   no           yes          yes          running
 *   no           yes          no           created (about to start)
 *   no           no           yes          exited, lost: the monitor was killed, and its container with it
 *   no           no           no           created, or what the store remembers of the exit
 *
 * A damaged exit file is none while the lock is held, and an unknown exit after that. A damaged pid file still says that the
 * program runs, but not as which process: pid 0.
 */
export interface Observation {
  state: ContainerState;
  /** What the monitor wrote of itself and of the program; the processes may be gone. 0 when unknown. */
  monitor: ProcessName;
  init: ProcessName;
  /** There was no orderly end: mounts, cgroups and the exit record are left to whoever sees this. */
  needsCleanup: boolean;
  /** How often its restart policy has started the program again since somebody did. */
  restarts?: number;
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
  circumstances?: Circumstances | undefined;
}

export const zeroTime = "0001-01-01T00:00:00Z";
/** As if by SIGKILL, which is what happens to the program when its monitor dies. */
const lostExitCode = 137;
const lostError = "the monitor was killed";
const unreadableError = "its exit status cannot be read";

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

function restartsIn(pids: Map<string, string> | undefined): { restarts?: number } {
  const count = pids?.get("restarts");
  return count !== undefined && /^[1-9]\d{0,9}$/.test(count) ? { restarts: Number(count) } : {};
}

function restartsOf(exit: ExitFacts | undefined): { restarts?: number } {
  const restarts = exit?.circumstances?.restarts;
  return restarts === undefined ? {} : { restarts };
}

/** Of an end, or of what runs: then there is no exit file. */
function circumstancesIn(
  directory: string,
  exit: Map<string, string> | undefined,
  restarts: { restarts?: number },
): { circumstances?: Circumstances } {
  const numbers = /^(\d{1,15}) (\d{1,19}) (\d{1,19})$/
    .exec(exit?.get("oom") ?? "")
    ?.slice(1)
    .map(Number);
  const [kills = 0, limit = 0, peak = 0] = numbers ?? [];
  const lost = existsSync(`${directory}/log-error`) ? fieldsOf(`${directory}/log-error`) : undefined;
  const errno = /^[1-9]\d{0,3}$/.exec(lost?.get("errno") ?? "")?.[0];
  const signal = /^[1-9]\d?$/.exec(exit?.get("signal") ?? "")?.[0];
  const circumstances = {
    ...(signal !== undefined && { signal: Number(signal) }),
    ...(kills > 0 && { oom: { kills, limit: safe(limit), peak: safe(peak) } }),
    ...restarts,
    ...(errno !== undefined && { logErrno: Number(errno) }),
  };
  return Object.keys(circumstances).length > 0 ? { circumstances } : {};
}

function safe(bytes: number): number {
  return Number.isSafeInteger(bytes) ? bytes : 0;
}

function look(
  directory: string,
  recorded: ExitFacts | undefined,
  isLocked: (path: string) => boolean,
): Observation {
  // What runs has none, and a failed open is an exception, which is dear where many run.
  const exit = existsSync(`${directory}/exit`) ? fieldsOf(`${directory}/exit`) : undefined;
  const code = codeIn(exit);
  const locked = code === undefined && isLocked(`${directory}/lock`);
  const pids = fieldsOf(`${directory}/pid`);
  const startedAt = time(pids?.get("started")) ?? recorded?.startedAt ?? zeroTime;
  const monitor = processIn(pids?.get("monitor"));
  const init = processIn(pids?.get("init"));
  const restarts = restartsIn(pids);
  if (exit && code !== undefined) {
    const finishedAt = time(exit.get("finished")) ?? zeroTime;
    const more = circumstancesIn(directory, exit, restarts);
    const facts = { exitCode: code, startedAt, finishedAt, error: exit.get("error") ?? "", ...more };
    if (existsSync(`${directory}/restarting`)) {
      const waits = isLocked(`${directory}/lock`);
      const state = { ...exited(facts), status: waits ? "restarting" : "exited" } as const;
      return { state, monitor, init, needsCleanup: !waits, ...restarts };
    }
    return { state: exited(facts), monitor, init, needsCleanup: false };
  }
  if (locked) {
    const more = circumstancesIn(directory, undefined, restarts);
    const status = pids ? "running" : "created";
    const state = { ...unstarted, status, ...init, startedAt, ...more } as const;
    return { state, monitor, init, needsCleanup: false, ...restarts };
  }
  if (recorded)
    return { state: exited(recorded), monitor, init, needsCleanup: false, ...restartsOf(recorded) };
  if (!pids && !exit) return { state: { ...unstarted }, monitor, init, needsCleanup: false };
  const finishedAt = fileTime(`${directory}/${exit ? "exit" : "pid"}`);
  const error = exit ? unreadableError : lostError;
  const more = circumstancesIn(directory, exit, restarts);
  const lost = { exitCode: lostExitCode, startedAt, finishedAt, error, ...more };
  return { state: exited(lost), monitor, init, needsCleanup: true };
}

/** Of one whose files cannot be found: what the store remembers. */
export function unknown(recorded: ExitFacts | undefined): Observation {
  const nobody = { pid: 0, startTime: "" };
  const state = recorded ? exited(recorded) : { ...unstarted };
  return { state, monitor: nobody, init: nobody, needsCleanup: false, ...restartsOf(recorded) };
}

/** Without files, and nobody looks after it: the machine went down, or somebody removed them. */
export function lostExit(): ExitFacts {
  return { exitCode: lostExitCode, startedAt: zeroTime, finishedAt: zeroTime, error: "its state was lost" };
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

export function exited(facts: ExitFacts): ContainerState {
  return { status: "exited", pid: 0, startTime: "", ...facts };
}

function codeIn(fields: Map<string, string> | undefined): number | undefined {
  const text = fields?.get("code");
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}

/** "key rest of the line" for each line, or undefined when there is no such file. */
function fieldsOf(path: string): Map<string, string> | undefined {
  const content = readStateFile(path)?.toString();
  if (content === undefined) return undefined;
  const fields = new Map<string, string>();
  for (const line of content.split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) fields.set(line.slice(0, space), line.slice(space + 1));
  }
  return fields;
}

function processIn(text: string | undefined): ProcessName {
  const match = /^([1-9]\d{0,8}) (\d{1,19})$/.exec(text ?? "");
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
