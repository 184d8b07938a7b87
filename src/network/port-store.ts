import type { Database } from "../store/database.ts";
import { isUniqueViolation } from "../store/sqlite-error.ts";
import { type Address, addressBytes, addressOfBytes } from "./address.ts";

/** A port of a container that runs: one that it shows, or that one of the host leads to. */
export interface ContainerPort {
  /** "tcp", "udp", "sctp" */
  protocol: string;
  /** The container's. */
  port: number;
  /** Undefined of one that is only shown. */
  host: HostPort | undefined;
}

export interface HostPort {
  /** 0.0.0.0 and :: are all of their family. */
  address: Address;
  port: number;
  /** Where the firewall leads to, of the same family; undefined: the container's monitor hands on what comes. */
  target: Address | undefined;
}

/** One that leads to a container. */
export interface PublishedPort extends ContainerPort {
  container: string;
  host: HostPort;
}

interface Row {
  container: string;
  protocol: string;
  port: number;
  host_address: Uint8Array | null;
  host_port: number | null;
  target: Uint8Array | null;
}

const columns = "container, protocol, port, host_address, host_port, target";

/** Which ports the containers have that run. What is here is in the firewall, or about to be; it goes with a container's end. */
export class PortStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** By the container's port, then the host's family. */
  ofContainer(container: string): ContainerPort[] {
    const sql = `SELECT ${columns} FROM container_ports WHERE container = ? ORDER BY port, protocol, length(host_address)`;
    return this.#database.all<Row>(sql, container).map(portOf);
  }

  /** Of all containers, the same. */
  byContainer(): Map<string, ContainerPort[]> {
    const sql = `SELECT ${columns} FROM container_ports ORDER BY port, protocol, length(host_address)`;
    const all = new Map<string, ContainerPort[]>();
    for (const row of this.#database.all<Row>(sql)) {
      const own = all.get(row.container);
      if (own) own.push(portOf(row));
      else all.set(row.container, [portOf(row)]);
    }
    return all;
  }

  /** Those that lead somewhere, of all containers. */
  published(): PublishedPort[] {
    const sql = `SELECT ${columns} FROM container_ports WHERE host_port IS NOT NULL`;
    return this.#database.all<Row>(sql).map(publishedOf);
  }

  publishedOf(container: string): PublishedPort[] {
    const sql = `SELECT ${columns} FROM container_ports WHERE container = ? AND host_port IS NOT NULL`;
    return this.#database.all<Row>(sql, container).map(publishedOf);
  }

  /** Those that somebody is just about to publish, or was when he died: what he leases, and which they are. */
  pending(): Map<string, PublishedPort[]> {
    const sql = `SELECT ${columns}, pending FROM container_ports WHERE pending IS NOT NULL`;
    const all = new Map<string, PublishedPort[]>();
    for (const row of this.#database.all<Row & { pending: string }>(sql))
      all.set(row.pending, [...(all.get(row.pending) ?? []), publishedOf(row)]);
    return all;
  }

  /** Its target is another one. */
  repoint({ container, protocol, host }: PublishedPort): void {
    const sql =
      "UPDATE container_ports SET target = ? WHERE container = ? AND protocol = ? AND host_address = ? AND host_port = ?";
    const target = host.target ? bytesOf(host.target) : null;
    this.#database.run(sql, target, container, protocol, bytesOf(host.address), host.port);
  }

  /** Whoever leases `item` is about to take these away. */
  doom(ports: readonly PublishedPort[], item: string): void {
    const sql =
      "UPDATE container_ports SET pending = ? WHERE container = ? AND protocol = ? AND host_address = ? AND host_port = ?";
    for (const { container, protocol, host } of ports)
      this.#database.run(sql, item, container, protocol, bytesOf(host.address), host.port);
  }

  /** They stay. */
  settle(item: string): void {
    this.#database.run("UPDATE container_ports SET pending = NULL WHERE pending = ?", item);
  }

  removePending(item: string): void {
    this.#database.run("DELETE FROM container_ports WHERE pending = ?", item);
  }

  /** Within a transaction. @param pending what whoever does so leases @returns the one that another container has, and nothing is added then */
  add(
    container: string,
    ports: readonly ContainerPort[],
    pending: string | null = null,
  ): ContainerPort | undefined {
    const sql = `INSERT INTO container_ports (${columns}, pending) VALUES (?, ?, ?, ?, ?, ?, ?)`;
    for (const each of ports) {
      const { protocol, port, host } = each;
      if (host && this.#isTaken(protocol, host)) return each;
      const address = host ? bytesOf(host.address) : null;
      const target = host?.target ? bytesOf(host.target) : null;
      try {
        this.#database.run(sql, container, protocol, port, address, host?.port ?? null, target, pending);
      } catch (error) {
        if (isUniqueViolation(error)) return each;
        throw error;
      }
    }
    return undefined;
  }

  /** All addresses of a family and one of them are no two: of what the kernel has no socket for only we know it. */
  #isTaken(protocol: string, { address, port }: HostPort): boolean {
    if (protocol !== "sctp") return false;
    const sql =
      "SELECT host_address AS address FROM container_ports WHERE protocol = ? AND host_port = ? AND length(host_address) = ?";
    const length = address.family === 4 ? 4 : 16;
    return this.#database
      .all<{ address: Uint8Array }>(sql, protocol, port, length)
      .some((row) => [address.value, addressOfBytes(row.address).value].includes(0n));
  }

  remove(container: string): void {
    this.#database.run("DELETE FROM container_ports WHERE container = ?", container);
  }
}

function bytesOf(address: Address): Uint8Array {
  return new Uint8Array(addressBytes(address));
}

function portOf({ protocol, port, host_address, host_port, target }: Row): ContainerPort {
  if (!host_address || host_port === null) return { protocol, port, host: undefined };
  const host = {
    address: addressOfBytes(host_address),
    port: host_port,
    target: target ? addressOfBytes(target) : undefined,
  };
  return { protocol, port, host };
}

function publishedOf(row: Row): PublishedPort {
  return { container: row.container, ...portOf(row) } as PublishedPort;
}
