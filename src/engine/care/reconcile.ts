import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../../base/errors.ts";
import { type Container, isContainerId } from "../../container/stored-container.ts";
import { isLocked } from "../../runtime/lock.ts";
import { look } from "../container/look.ts";
import type { Host } from "../host.ts";
import { isOfAnotherBoot } from "./boot-id.ts";
import type { Found, Live } from "./put-right.ts";

export type { Live } from "./put-right.ts";

/**
 * Put right what a killed client or monitor has left: containers whose end nobody wrote down, `--rm` containers that nobody
 * removed, state directories of containers that never came to be, and rows that running containers have lost. Every command
 * that lists containers begins with it, so it touches only what may need it: state directories, and rows whose end is not on
 * record. Of a container that is over there is neither; what runs is among those that it answers.
 */
export async function reconcile(host: Host): Promise<Live[]> {
  if (isOfAnotherBoot(host.paths.state)) await (await import("./boot.ts")).forgetProcesses(host.paths.state);
  const unsettled = new Map(host.containers.unsettled().map((container) => [container.id, container]));
  const found: Found[] = [];
  for (const id of entries(join(host.paths.state, "containers"))) {
    const container = unsettled.get(id) ?? (isContainerId(id) ? host.containers.find(id) : undefined);
    unsettled.delete(id);
    found.push(container ? await careFor(host, container) : await careForStray(host, id));
  }
  for (const container of unsettled.values()) found.push(await careFor(host, container));
  for (const each of found) await each?.remove?.();
  await finishChanges(host);
  await takeBackPorts(host);
  return found.flatMap((each) => each?.live ?? []);
}

/** Of networks of containers that run, which somebody was about to change when he died. Nearly always there is none. */
async function finishChanges(host: Host): Promise<void> {
  host.names.settle();
  for (const id of host.containers.amidChange()) {
    const { repairNetworks } = await import("../network/repair.ts");
    await repairNetworks(host, id);
  }
}

/**
 * The same for commands that make a container, which have no use for what runs: a lock that somebody holds says that it is looked
 * after, and nothing else of it is read.
 */
export async function reconcileUnattended(host: Host): Promise<void> {
  const directory = join(host.paths.state, "containers");
  const found: Found[] = [];
  for (const id of new Set([
    ...entries(directory),
    ...host.containers.unsettledIds().filter(isContainerId),
  ])) {
    if (isLocked(join(directory, id, "lock"))) continue;
    const container = isContainerId(id) ? host.containers.find(id) : undefined;
    found.push(container ? await careFor(host, container) : await careForStray(host, id));
  }
  for (const each of found) await each?.remove?.();
  await finishChanges(host);
  await takeBackPorts(host);
}

/** What somebody was changing of a running container's ports when he died. */
async function takeBackPorts(host: Host): Promise<void> {
  if (!host.containers.hasPendingPorts()) return;
  await (await import("../network/take-back-ports.ts")).takeBackAbandoned(host);
}

/**
 * The same for one container, for commands that change only that. One that is not there may run all the same, with its row lost.
 * @throws RtError not-found | invalid-argument
 */
export async function reconcileOne(host: Host, text: string): Promise<Container> {
  const container = host.containers.find(text);
  if (!container) {
    await reconcile(host);
    return host.containers.get(text);
  }
  if (!mayNeedIt(host, container)) return container;
  await (await careFor(host, container))?.remove?.();
  await finishChanges(host);
  return host.containers.find(container.id) ?? host.containers.get(text);
}

/** Is it among those that `reconcile` looks at? */
function mayNeedIt(host: Host, { id, isSettled, removal }: Container): boolean {
  return !isSettled || removal !== undefined || (isContainerId(id) && existsSync(host.stateOf(id)));
}

/** What runs is as it should be; what puts others right is loaded where there are such. */
async function careFor(host: Host, container: Container): Promise<Found> {
  const { state } = look(host, container);
  if (state.status === "running" && !container.damage) return { live: { container, state } };
  const { putRight } = await import("./put-right.ts");
  return putRight(host, container);
}

async function careForStray(host: Host, id: string): Promise<Found> {
  const { putRightStray } = await import("./put-right.ts");
  return putRightStray(host, id);
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
