import { RtError } from "../../base/errors.ts";
import type { ContainerState } from "../../container/record.ts";
import type { Observation } from "../../container/state.ts";
import type { Container } from "../../container/stored-container.ts";
import type { Host } from "../host.ts";
import { elsewhere, isElsewhere, isRunning, look, withPause } from "./look.ts";

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
  let container = host.containers.find(text) ?? (await findReconciled(host, text));
  let seen = look(host, container);
  if (isOutdated(container, seen)) {
    container = host.containers.get(container.id);
    seen = look(host, container);
  }
  return { container, ...seen, state: withPause(host, container.id, seen.state) };
}

/** The container `id` and what it is doing, for who has waited since it was found; there may be none any more. */
export function lookById(
  host: Host,
  id: string,
): { container: Container | undefined; state: ContainerState } {
  const container = host.containers.find(id);
  const seen = look(host, { id, exit: container?.exit });
  if (!isOutdated({ exit: container?.exit }, seen)) return { container, state: seen.state };
  const later = host.containers.find(id);
  return { container: later, state: look(host, { id, exit: later?.exit }).state };
}

/**
 * Neither its row nor its files say that it ever ran: since we read the one somebody may have written its end down, and taken
 * the others away.
 */
function isOutdated({ exit }: Pick<Container, "exit">, { state }: Observation): boolean {
  return exit === undefined && state.status === "created";
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
const restarting = "is restarting, wait until the container is running";
/** Its monitor lives, its pid file is damaged, and no cgroup shows it. */
const unfindable = "runs, but its state directory is damaged, and its processes cannot be found";

async function whyUnreachable(
  host: Host,
  container: Container,
  state: ContainerState,
): Promise<string | undefined> {
  if (state.status === "restarting") return restarting;
  if (state.pid === 0) return isRunning(state) ? unfindable : stopped;
  return (await isElsewhere(host, container)) ? elsewhere : undefined;
}
