import { existsSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ContainerState } from "../../container/record.ts";
import { type Observation, observe, unknown, zeroTime } from "../../container/state.ts";
import { type Container, isContainerId } from "../../container/stored-container.ts";
import { isFrozen, shortageIn, thawCgroup } from "../../runtime/cgroup.ts";
import { isLocked } from "../../runtime/lock.ts";
import { takeAbandoned } from "../../runtime/moment.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";
import { cgroupOf } from "./group.ts";

/** Nobody needs longer from the making of a container's state directory to the start of its program. */
export const youngFor_ms = 10_000;

/**
 * What a container is doing now. Its files say so; where they are damaged or gone while its program runs on, its cgroup does.
 */
export function look(
  host: Host,
  container: Pick<Container, "id" | "exit"> & Partial<Pick<Container, "failure" | "isSettled">>,
): Observation {
  const seen = lookAtFiles(host, container);
  const { failure } = container;
  if (!failure || seen.state.status !== "created") return seen;
  return { ...seen, state: { ...seen.state, ...failure } };
}

function lookAtFiles(
  host: Host,
  { id, exit, isSettled }: Pick<Container, "id" | "exit"> & { isSettled?: boolean },
): Observation {
  if (!isContainerId(id)) return unknown(exit); // no directory has such a name
  const directory = host.stateOf(id);
  if (isSettled && !existsSync(directory)) return unknown(exit);
  const seen = observe(directory, exit, isLocked);
  if (seen.needsCleanup && isUnlockedOnly(directory, seen))
    return { ...seen, needsCleanup: false, state: { ...seen.state, ...alive, ...seen.init } };
  const { status, pid } = seen.state;
  const unclear =
    status === "created" ? sinceStart(directory) > youngFor_ms : status === "running" && pid === 0;
  const init = unclear ? initOf(host, id) : undefined;
  return init ? { ...seen, init, state: { ...seen.state, status: "running", ...init } } : seen;
}

/** The state for somebody who wants to know whether what runs is paused: that is its cgroup's to say, not its files'. */
export function withPause(host: Host, id: string, state: ContainerState): ContainerState {
  if (state.status !== "running" || !isContainerId(id)) return state;
  if (!takeAbandoned(host.stateOf(id)))
    return isFrozen(cgroupOf(host, id)) ? { ...state, status: "paused" } : state;
  // Whoever had it stand still for a moment was killed in it, or while it was about to.
  thawCgroup(cgroupOf(host, id));
  return state;
}

/** The state for somebody who wants to know whether memory was short for what runs; of an end that is on record. */
export function withShortage(host: Host, id: string, state: ContainerState): ContainerState {
  const oom = isRunning(state) && isContainerId(id) ? shortageIn(cgroupOf(host, id)) : undefined;
  return oom ? { ...state, circumstances: { ...state.circumstances, oom } } : state;
}

/** Its program is there, be it that it stands still. */
export function isRunning({ status }: Pick<ContainerState, "status">): boolean {
  return status === "running" || status === "paused";
}

/** Its program is over, and its namespaces with it, be that on record already or not. */
export function isOver({ pid, startTime }: { pid: number; startTime: string | bigint }): boolean {
  if (!signalProcess(pid, String(startTime), 0)) return true;
  try {
    readlinkSync(`/proc/${pid}/ns/net`);
    return false;
  } catch {
    // A process that is just ending has no namespaces any more.
    return true;
  }
}

/** It runs, or its restart policy is about to start it again. */
export function isUp(state: Pick<ContainerState, "status">): boolean {
  return isRunning(state) || state.status === "restarting";
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

/** Milliseconds since a start was begun there: each writes the record once more, and what else is made there comes and goes. */
function sinceStart(directory: string): number {
  const made = statSync(join(directory, "record"), { throwIfNoEntry: false })?.mtimeMs;
  return made === undefined ? ageOf(directory) : Date.now() - made;
}

/** Milliseconds since something was last made in `directory`; one that is not there is as old as can be. */
export function ageOf(directory: string): number {
  const made = statSync(directory, { throwIfNoEntry: false })?.mtimeMs;
  return made === undefined ? Number.POSITIVE_INFINITY : Date.now() - made;
}

/** By its cgroup; loaded where its files do not say. */
function initOf(host: Host, id: string): { pid: number; startTime: string } | undefined {
  const { membersOf } = require("../../runtime/members.ts") as typeof import("../../runtime/members.ts");
  return membersOf(cgroupOf(host, id))[0];
}
