import type { ContainerRecord } from "../container/record.ts";
import { type Container, recordOf } from "../container/stored-container.ts";
import { appendEvent, type NewEvent } from "../events/append.ts";
import type { Network } from "../network/network-store.ts";
import { propagations } from "../settings/propagation.ts";
import type { Host } from "./host.ts";

/**
 * What `rt events` shows of a container. Whoever acts calls it, once it is done.
 * @param more Docker's attributes of this action: exitCode, signal, execID, …
 */
export function containerEvent(
  host: Host,
  container: Container | ContainerRecord,
  action: string,
  more: Readonly<Record<string, string>> = {},
): void {
  appendEvent(host.paths.state, containerEventOf(container, action, more));
}

export function containerEventOf(
  container: Container | ContainerRecord,
  action: string,
  more: Readonly<Record<string, string>>,
): NewEvent {
  const { id, name } = container;
  const image = "reference" in container ? container.reference : container.image.reference;
  const { labels } = ("reference" in container ? recordOf(container) : container) ?? {};
  return { type: "container", action, id, attributes: { ...labels, image, name, ...more } };
}

/**
 * How a program ended, and before that whether memory was short.
 * @param exit times in RFC 3339
 * @param networks that it was in, of one that is not on record any more
 */
export function dieEvent(
  host: Host,
  container: Container | ContainerRecord,
  exit: {
    exitCode: number;
    startedAt: string;
    finishedAt: string;
    circumstances?: { oom?: unknown } | undefined;
  },
  networks = host.containers.networksOf(container.id),
): void {
  if (exit.circumstances?.oom !== undefined) containerEvent(host, container, "oom");
  const seconds = Math.floor((Date.parse(exit.finishedAt) - Date.parse(exit.startedAt)) / 1000);
  // Of one that was lost, when it began may be unknown.
  const execDuration = String(seconds > 0 && seconds < 1e9 ? seconds : 0);
  for (const network of networks) networkEvent(host, "disconnect", network, container.id);
  const { mounts = [] } = ("reference" in container ? recordOf(container) : container) ?? {};
  for (const { type, name } of mounts)
    if (type === "volume" && name !== undefined)
      volumeEvent(host, "unmount", name, { container: container.id });
  containerEvent(host, container, "die", { execDuration, exitCode: String(exit.exitCode) });
}

/** Just before a container's program starts. */
export function mountEvents(host: Host, { id, mounts }: ContainerRecord): void {
  for (const { type, name, destination, readonly, options } of mounts) {
    if (type !== "volume" || name === undefined) continue;
    const propagation = options.find((option) => propagations.has(option)) ?? "";
    const said = { container: id, destination, propagation, "read/write": String(!readonly) };
    volumeEvent(host, "mount", name, said);
  }
}

export function imageEvent(host: Host, action: string, id: string, name: string): void {
  appendEvent(host.paths.state, { type: "image", action, id, attributes: { name } });
}

export function volumeEvent(
  host: Host,
  action: string,
  name: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const attributes = { driver: "local", ...more };
  appendEvent(host.paths.state, { type: "volume", action, id: name, attributes });
}

/** @param container that is joined to it, or leaves it */
export function networkEvent(
  host: Host,
  action: "create" | "destroy" | "connect" | "disconnect",
  { id, name, driver }: Pick<Network, "id" | "name" | "driver">,
  container?: string,
): void {
  const attributes = { ...(container !== undefined && { container }), name, type: driver };
  appendEvent(host.paths.state, { type: "network", action, id, attributes });
}

/** Just before a container's program starts, ahead of its mounts, or when it has ended. */
export function networkEvents(host: Host, action: "connect" | "disconnect", container: string): void {
  for (const network of host.containers.networksOf(container)) networkEvent(host, action, network, container);
}
