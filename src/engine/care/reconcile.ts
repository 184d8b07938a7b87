import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../../base/errors.ts";
import { type Container, isContainerId } from "../../container/container-store.ts";
import { look } from "../container/look.ts";
import type { Host } from "../host.ts";
import type { Found, Live } from "./put-right.ts";

export type { Live } from "./put-right.ts";

/**
 * Put right what a killed client or monitor has left: containers whose end nobody wrote down, `--rm` containers that nobody
 * removed, state directories of containers that never came to be, and rows that running containers have lost. Every command
 * that lists or makes containers begins with it, so it touches only what may need it: state directories, and rows whose end
 * is not on record. Of a container that is over there is neither; what runs is among those that it answers.
 */
export async function reconcile(host: Host): Promise<Live[]> {
  const unsettled = new Map(host.containers.unsettled().map((container) => [container.id, container]));
  const found: Found[] = [];
  for (const id of entries(join(host.paths.state, "containers"))) {
    const container = unsettled.get(id) ?? (isContainerId(id) ? host.containers.find(id) : undefined);
    unsettled.delete(id);
    found.push(container ? await careFor(host, container) : await careForStray(host, id));
  }
  for (const container of unsettled.values()) found.push(await careFor(host, container));
  for (const each of found) await each?.remove?.();
  return found.flatMap((each) => each?.live ?? []);
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
