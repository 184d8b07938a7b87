import { RtError, withCause } from "../../base/errors.ts";
import { parseSignal } from "../../base/signals.ts";
import { holdsWithin } from "../../base/wait.ts";
import { markStopped } from "../../container/stopped.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import { thawCgroup } from "../../runtime/cgroup.ts";
import { signalProcess } from "../../runtime/process.ts";
import { putRight } from "../care/put-right.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { killContainer } from "./end.ts";
import { find, requireRunning } from "./find.ts";
import { cgroupOf } from "./group.ts";
import { isRunning, isUp, look } from "./look.ts";
import { rememberStop, stayDown } from "./stay-down.ts";

const SIGCONT = 18;
/** How long a killed container may take to end: its processes may be writing their last pages. */
export const killedWithin_ms = 10_000;
/** Seconds from the stop signal to SIGKILL, where nobody says. */
export const patience_s = 10;

export interface StopOptions {
  /** A name or a number as text; the container's own stop signal unless it is given. */
  signal?: string | undefined;
  /** Seconds from that to SIGKILL; one below zero never comes. */
  timeout_s?: number | undefined;
  /** It does not run, and nothing was done. */
  onUnchanged?: () => void;
}

/** What only whoever follows the container in this process has to say. */
export interface StopPatience {
  /** Between SIGKILL and giving up. */
  limit_ms?: number;
  /** Called when the patience is over and it still runs. */
  onLate?: () => void;
  /** False for one who stops everything, so that it comes up again with everything. */
  byHand?: boolean;
}

/**
 * End a container: its stop signal, some patience, then SIGKILL. One that does not run is as it should be.
 * @throws RtError not-found; conflict: it cannot be reached from here; unavailable: not even SIGKILL ended it
 */
export async function stop(
  host: Host,
  name: string,
  options: StopOptions = {},
  { limit_ms = killedWithin_ms, onLate, byHand = true }: StopPatience = {},
): Promise<void> {
  let seen = await find(host, name);
  if (!isUp(seen.state)) options.onUnchanged?.();
  if (byHand && isUp(seen.state)) await rememberStop(host, seen.container);
  if (seen.state.status === "restarting") {
    await stayDown(host, seen.container);
    seen = await find(host, name);
    if (!isRunning(seen.state)) containerEvent(host, seen.container, "stop");
  }
  const { container } = seen;
  if (!isRunning(seen.state)) return;
  try {
    await requireRunning(host, seen);
  } catch (error) {
    throw withCause(`cannot stop container: ${name}`, error);
  }
  const over = () => look(host, container).state.status !== "running";
  const number = options.signal ? parseSignal(options.signal).number : stopSignalOf(container);
  markStopped(host.stateOf(container.id));
  const { pid, startTime, status } = seen.state;
  containerEvent(host, container, "kill", { signal: String(number) });
  const sent = signalProcess(pid, startTime, number);
  // It hears of that when it goes on.
  if (sent && status === "paused") thawCgroup(cgroupOf(host, container.id));
  const timeout_s = options.timeout_s ?? recordOf(container)?.stopTimeout ?? patience_s;
  const hasStopped = async () => {
    // Its end is on record, and told, before whatever the caller does next; its monitor may still be on the way to that.
    const ended = host.containers.find(container.id);
    if (ended && !ended.autoRemove) await putRight(host, ended);
    containerEvent(host, container, "stop");
  };
  if (await holdsWithin(timeout_s < 0 ? Number.POSITIVE_INFINITY : timeout_s * 1000, over))
    return await hasStopped();
  onLate?.();
  const { state, monitor } = look(host, container);
  containerEvent(host, container, "kill", { signal: "9" });
  if (!killContainer(cgroupOf(host, container.id), state)) return await hasStopped();
  // A monitor that somebody has stopped would not tell of the end.
  if (monitor.pid > 0) signalProcess(monitor.pid, monitor.startTime, SIGCONT);
  if (await holdsWithin(limit_ms, over)) return await hasStopped();
  throw notEnding(container.name);
}

/** The number of the signal that asks its program to end. */
export function stopSignalOf(container: Container): number {
  return parseSignal(recordOf(container)?.stopSignal || "TERM").number;
}

export function notEnding(name: string): RtError {
  return new RtError("unavailable", `container ${name} does not end after SIGKILL: try again`);
}
