import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import type { Database } from "../store/database.ts";
import { reflect } from "./bridge.ts";
import type { NetworkEndpoint } from "./endpoint-store.ts";
import type { Fence } from "./firewall.ts";
import { protocolNumbers } from "./held-port.ts";
import { forgetFlows } from "./netlink.ts";
import type { Network } from "./network-store.ts";
import type { ContainerPort, PortStore, PublishedPort } from "./port-store.ts";

/** Where a container is that ports lead to. */
export interface PortPlace {
  network: Network;
  endpoint: NetworkEndpoint;
}

/**
 * The ports of the containers that run: rows of ours, and what the firewall does about them.
 *
 *   ports.take(container, […])        // its sockets are held: rows, in place of those of its last run
 *   ports.lead([…], network, endpoint) // it is in its network: the firewall leads there
 *   ports.release(container)          // it is over, in the transaction that says so
 *
 * A crash in between leaves rows, which go when its end is put on record, and elements with them: a table that is made anew has
 * what is in rows, and elements are taken out before their rows.
 */
export class Ports {
  readonly store: PortStore;
  readonly #database: Database;
  readonly #fence: Fence;

  constructor(database: Database, store: PortStore, fence: Fence) {
    this.#database = database;
    this.store = store;
    this.#fence = fence;
  }

  /** @returns the one that another container has; nothing is taken then */
  take(container: string, ports: readonly ContainerPort[]): ContainerPort | undefined {
    let clash: ContainerPort | undefined;
    try {
      this.#database.transaction(() => {
        this.release(container);
        clash = this.store.add(container, ports);
        if (clash) throw new Taken();
      });
    } catch (error) {
      if (!(error instanceof Taken)) throw error;
    }
    return clash;
  }

  /** To a container that is in these networks. @throws RtError */
  lead(ports: readonly PublishedPort[], places: readonly PortPlace[]): void {
    if (ports.length === 0) return;
    for (const { network, endpoint } of places) openWay(network, endpoint);
    if (!this.#fence.lead(true, ports)) {
      // Somebody has flushed the rules since the network was brought up: all is made again, with these.
      this.#fence.restore(() => {});
    }
    forget(ports);
  }

  /** What a network on the host was made again for: the ways of those that lead to this container. */
  restore(network: Network, endpoint: NetworkEndpoint): void {
    const own = this.store.publishedOf(endpoint.container);
    const isHere = own.some(({ host: { target } }) => {
      return endpoint.addresses.some(
        ({ family, value }) => target?.family === family && target.value === value,
      );
    });
    if (network.driver === "bridge" && isHere) openWay(network, endpoint);
  }

  /** They lead to other addresses of the container from here on, or from none. */
  repoint(moved: readonly { from: PublishedPort; to: PublishedPort }[], places: readonly PortPlace[]): void {
    const before = moved.map(({ from }) => from);
    const after = moved.map(({ to }) => to);
    for (const { network, endpoint } of places) openWay(network, endpoint);
    // Cut short before it is on record all of it is done again.
    const isLed = this.#database.transaction(() => {
      this.#fence.lead(false, before);
      for (const port of after) this.store.repoint(port);
      return this.#fence.lead(true, after);
    });
    if (!isLed) this.#fence.restore(() => {});
    forget(after);
  }

  /** Within a transaction. */
  release(container: string): void {
    const ports = this.store.publishedOf(container);
    this.#fence.lead(false, ports);
    this.store.remove(container);
    forget(ports);
  }

  /** They lead nowhere any more. */
  close(ports: readonly PublishedPort[]): void {
    this.#fence.lead(false, ports);
    forget(ports);
  }

  /** More of one that runs, or some of them, as `pending` has them: they lead nowhere any more. */
  giveUp(item: string, ports: readonly PublishedPort[]): void {
    this.#database.transaction(() => {
      this.#fence.lead(false, ports);
      this.store.removePending(item);
    });
    forget(ports);
  }
}

/** Rolls the transaction back. */
class Taken extends Error {}

function forget(ports: readonly PublishedPort[]): void {
  const numbers = ports.filter(({ protocol }) => protocol === "udp").map(({ host }) => host.port);
  forgetFlows(protocolNumbers.udp!, [...new Set(numbers)]);
}

/** What the host has to let pass for that, besides the firewall. */
function openWay(network: Network, endpoint: NetworkEndpoint): void {
  admitLoopback(network.interface);
  reflect(network, endpoint);
}

/** What comes from 127.0.0.1 may leave by the bridge: with another address, and nothing comes back there (port-rules.ts). */
function admitLoopback(bridge: string): void {
  const path = `/proc/sys/net/ipv4/conf/${bridge}/route_localnet`;
  try {
    if (existsSync(path) && readFileSync(path, "latin1").trim() === "0") writeFileSync(path, "1");
  } catch (error) {
    throw new RtError("forbidden", `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}
