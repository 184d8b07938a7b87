import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { type Container, isContainerId } from "../../container/container-store.ts";
import type { ContainerState } from "../../container/record.ts";
import { type Observation, observe, unknown, zeroTime } from "../../container/state.ts";
import { cgroupPath } from "../../runtime/cgroup.ts";
import { isLocked } from "../../runtime/lock.ts";
import { membersOf } from "../../runtime/members.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";

/** Nobody needs longer from the making of a container's state directory to the start of its program. */
export const youngFor_ms = 10_000;

/** A container, and what it was doing when it was looked at. */
export interface Look extends Observation {
  container: Container;
}

/**
 * The container that the user calls `text`, for commands that begin without `reconcile`. One that is not there may run all
 * the same, with its row lost.
 * @throws RtError not-found | invalid-argument
 */
export async function find(host: Host, text: string): Promise<Look> {
  const container = host.containers.find(text) ?? (await findReconciled(host, text));
  return { container, ...look(host, container) };
}

async function findReconciled(host: Host, text: string): Promise<Container> {
  const { reconcile } = await import("../care/reconcile.ts");
  await reconcile(host);
  return host.containers.get(text);
}

/** @throws RtError conflict: it does not run, or its processes cannot be reached from here */
export async function requireRunning(host: Host, { container, state }: Look): Promise<void> {
  const why = await whyUnreachable(host, container, state);
  if (why !== undefined) throw unreachable(container, why);
}

/** Of one that was not there when something was sent to it. */
export async function notRunning(host: Host, { container, state }: Look): Promise<RtError> {
  return unreachable(container, (await whyUnreachable(host, container, state)) ?? stopped);
}

function unreachable({ id }: Container, why: string): RtError {
  return new RtError("conflict", `container ${id} ${why}`, { exitCode: 1 });
}

const stopped = "is not running";
/** Its monitor lives, its pid file is damaged, and no cgroup shows it. */
const unfindable = "runs, but its state directory is damaged, and its processes cannot be found";

async function whyUnreachable(
  host: Host,
  container: Container,
  state: ContainerState,
): Promise<string | undefined> {
  if (state.pid === 0) return state.status === "running" ? unfindable : stopped;
  return (await isElsewhere(host, container)) ? elsewhere : undefined;
}

/**
 * What a container is doing now. Its files say so; where they are damaged or gone while its program runs on, its cgroup does.
 */
export function look(host: Host, { id, exit }: Pick<Container, "id" | "exit">): Observation {
  if (!isContainerId(id)) return unknown(exit); // no directory has such a name
  const directory = host.stateOf(id);
  const seen = observe(directory, exit, isLocked);
  if (seen.needsCleanup && isUnlockedOnly(directory, seen))
    return { ...seen, needsCleanup: false, state: { ...seen.state, ...alive, ...seen.init } };
  const { status, pid } = seen.state;
  const unclear = status === "created" ? ageOf(directory) > youngFor_ms : status === "running" && pid === 0;
  const init = unclear ? membersOf(cgroupPath(id))[0] : undefined;
  return init ? { ...seen, init, state: { ...seen.state, status: "running", ...init } } : seen;
}

/**
 * It runs, and no process here has its number: it was started in another pid namespace, by an `rt init` that is process 1
 * there. Looked at twice: between a program's end and the record of it the same is seen for a moment.
 */
export async function isElsewhere(host: Host, container: Pick<Container, "id" | "exit">): Promise<boolean> {
  const hidden = () => {
    const { status, pid, startTime } = look(host, container).state;
    return status === "running" && pid > 0 && !signalProcess(pid, startTime, 0);
  };
  if (!hidden()) return false;
  await Bun.sleep(50);
  return hidden();
}

export const elsewhere = "runs in another pid namespace, under an rt init: only an rt in there reaches it";

const alive = { status: "running", exitCode: 0, finishedAt: zeroTime, error: "" } as const;

/** Somebody has removed the lock, and the monitor that held it lives. */
function isUnlockedOnly(directory: string, { monitor, init }: Observation): boolean {
  if (monitor.pid === 0 || init.pid === 0 || existsSync(join(directory, "lock"))) return false;
  return signalProcess(monitor.pid, monitor.startTime, 0);
}

/** Milliseconds since something was last made in `directory`; one that is not there is as old as can be. */
export function ageOf(directory: string): number {
  const made = statSync(directory, { throwIfNoEntry: false })?.mtimeMs;
  return made === undefined ? Number.POSITIVE_INFINITY : Date.now() - made;
}
