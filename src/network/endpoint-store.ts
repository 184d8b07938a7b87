import { RtError } from "../base/errors.ts";
import { newId } from "../base/new-id.ts";
import type { Database } from "../store/database.ts";
import { isUniqueViolation } from "../store/sqlite-error.ts";
import {
  type Address,
  addressBytes,
  addressOfBytes,
  contains,
  formatAddress,
  isReserved,
  lowestFree,
  parseAddress,
  parseCidr,
  type Subnet,
} from "./address.ts";
import { bridgeOptions } from "./bridge-options.ts";
import type { Network } from "./network-store.ts";
import type { NetworkRecord, SubnetRecord } from "./record.ts";

/** A container's place in a network. */
export interface NetworkEndpoint {
  /** 64 hex digits. */
  id: string;
  container: string;
  network: string;
  /** In the container: "eth0". */
  interface: string;
  /** "02:42:ac:11:00:02"; "" where it is another's. */
  mac: string;
  /** One in each subnet, in their order; fewer of one that does not run, when somebody else has needed them. */
  addresses: Address[];
  /** It is being joined to the container, which runs, or taken from it: until that is done. */
  pending: boolean;
  /** Where it may go outside of the network, of one that may not go everywhere (settings/egress.ts). */
  egress?: readonly string[] | undefined;
}

/** A container is let to ports of another one, in a network whose containers do not know each other: openings.ts. */
export interface Opening {
  /** It is linked to the other. */
  from: NetworkEndpoint;
  to: NetworkEndpoint;
  /** "80/tcp", of that one. */
  ports: readonly string[];
}

/** Of a container that runs, or is about to. */
export interface ActiveEndpoint extends NetworkEndpoint {
  containerName: string;
}

export interface AskedEndpoint {
  /** What it is called where it has had none; "": the first ethN that the container does not have. */
  interface: string;
  address: string;
  address6: string;
  /** Undefined: it has none of its own. */
  mac: string | undefined;
  /** The host has them: they are nobody else's. */
  ofHost?: readonly Address[];
  /** Where its container may go; what the network says is added to that. */
  egress?: readonly string[] | undefined;
  /** Those that it is linked to, and their ports: where containers do not know each other it is let to these. */
  linked?: readonly { target: string; ports: readonly string[] }[];
  /** Its container runs, and gets it next. */
  pending?: boolean;
}

interface Row extends Omit<NetworkEndpoint, "addresses" | "pending" | "egress"> {
  pending: number;
  egress: string | null;
}

const columns = ["id", "container", "network", "interface", "mac", "pending", "egress"];

interface OpeningRow {
  container: string;
  target: string;
  ports: string;
}

/** The host's end of a container's pair. */
export function portOf({ id }: NetworkEndpoint): string {
  return `veth${id.slice(0, 11)}`;
}

/**
 * Who has which address in a network. An address is a row with its network and itself as the key, so that no two containers
 * ever have one; it goes with its container's row. What does not run keeps its own until somebody else needs it.
 */
export class EndpointStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Those of the containers that run in a network, or are about to, by the container's name. */
  active(network: string): ActiveEndpoint[] {
    const sql = `SELECT ${columns.map((name) => `e.${name}`)}, c.name FROM network_endpoints AS e
      JOIN containers AS c ON c.id = e.container WHERE e.network = ? AND c.exit_code IS NULL ORDER BY c.name`;
    return this.#database
      .all<Row & { name: string }>(sql, network)
      .map(({ name, ...row }) => ({ ...this.#endpoint(row), containerName: name }));
  }

  /** Those of a container, whether or not it runs. */
  ofContainer(container: string): NetworkEndpoint[] {
    const sql = `SELECT ${columns} FROM network_endpoints WHERE container = ? ORDER BY interface`;
    return this.#database.all<Row>(sql, container).map((row) => this.#endpoint(row));
  }

  #endpoint(row: Row): NetworkEndpoint {
    const sql =
      "SELECT address FROM network_leases WHERE container = ? AND network = ? ORDER BY length(address)";
    const rows = this.#database.all<{ address: Uint8Array }>(sql, row.container, row.network);
    const addresses = rows.map(({ address }) => addressOfBytes(address));
    const egress = row.egress === null ? undefined : (JSON.parse(row.egress) as string[]);
    return { ...row, pending: row.pending === 1, addresses, egress };
  }

  /**
   * A container's place in a network: the one that it has had, as far as nobody else has it now.
   *
   * @param find the network, in the same transaction
   * @param asked the interface's name, and addresses and a MAC of the user's; "" leaves those to us
   * @throws RtError not-found: the container went meanwhile; conflict | exhausted | invalid-argument: the address that is asked
   *   for, or any
   */
  connect(find: () => Network, container: string, asked: AskedEndpoint): NetworkEndpoint {
    return this.#database.transaction(() => this.join(find(), container, asked));
  }

  /** The same in a transaction of the caller's. */
  join(network: Network, container: string, asked: AskedEndpoint): NetworkEndpoint {
    const db = this.#database;
    if (!db.get("SELECT 1 FROM containers WHERE id = ?", container))
      throw new RtError("not-found", `No such container: ${container}`);
    const { subnets } = network.record;
    const wanted = [asked.address, asked.address6].map((text) => askedIn(network.record, network.name, text));
    const all = this.ofContainer(container);
    const own = all.find((each) => each.network === network.id);
    const id = own?.id ?? this.#add(network.id, container);
    const addresses = subnets.map((each) => {
      const bounds = boundsOf(each);
      const fixed = wanted.find((each) => each && contains(bounds.subnet, each));
      const kept = own?.addresses.find((address) => contains(bounds.subnet, address));
      if (kept && (!fixed || fixed.value === kept.value)) return kept;
      if (kept) this.#give(network.id, kept);
      return this.#lease(network, bounds, container, fixed, asked.ofHost);
    });
    if (addresses.length > 0) this.#giveStrays(network, own);
    const mac = asked.mac === undefined ? "" : asked.mac || macOf(addresses);
    const name =
      asked.interface || own?.interface || freeInterface(all, bridgeOptions(network.record.options).prefix);
    if (all.some((each) => each.interface === name && each.network !== network.id))
      throw new RtError("conflict", `the container has an interface ${name} already, in another network`);
    const pending = asked.pending ?? false;
    const egress = egressOf(network, asked.egress ?? []);
    const sql = `UPDATE network_endpoints SET mac = ?, interface = ?, pending = ?, egress = ?
      WHERE container = ? AND network = ?`;
    const words = egress ? JSON.stringify(egress) : null;
    db.run(sql, mac, name, pending ? 1 : 0, words, container, network.id);
    this.#link(network, container, asked.linked ?? []);
    return { id, container, network: network.id, interface: name, mac, addresses, pending, egress };
  }

  /** A container leaves a network: its addresses there are free. */
  disconnect(container: string, network: string): void {
    const sql = "DELETE FROM network_endpoints WHERE container = ? AND network = ?";
    this.#database.run(sql, container, network);
  }

  /** It is to leave it, and runs: nobody has its addresses before it has left. False where it is in no such network. */
  leave(container: string, network: string): boolean {
    const sql = "UPDATE network_endpoints SET pending = 1 WHERE container = ? AND network = ?";
    return this.#database.run(sql, container, network) > 0;
  }

  /** What was to be done is done, or does not matter any more. */
  settle(container: string): void {
    this.#database.run("UPDATE network_endpoints SET pending = 0 WHERE container = ?", container);
  }

  #link(network: Network, container: string, linked: NonNullable<AskedEndpoint["linked"]>): void {
    const db = this.#database;
    db.run("DELETE FROM network_openings WHERE container = ? AND network = ?", container, network.id);
    if (network.driver !== "bridge" || bridgeOptions(network.record.options).isSociable) return;
    const sql =
      "INSERT OR REPLACE INTO network_openings (container, network, target, ports) VALUES (?, ?, ?, ?)";
    for (const { target, ports } of linked) db.run(sql, container, network.id, target, JSON.stringify(ports));
  }

  /**
   * From it and to it.
   * @param of whether the other one runs as well, or whoever it is
   */
  openingsOf({ container, network }: NetworkEndpoint, of: "active" | "all"): Opening[] {
    const sql = `SELECT container, target, ports FROM network_openings
      WHERE network = ?1 AND (container = ?2 OR target = ?2)`;
    return this.#openings(network, of, this.#database.all<OpeningRow>(sql, network, container));
  }

  /** Of a network, between those that run. */
  openings(network: string): Opening[] {
    const sql = "SELECT container, target, ports FROM network_openings WHERE network = ?";
    return this.#openings(network, "active", this.#database.all<OpeningRow>(sql, network));
  }

  #openings(network: string, of: "active" | "all", rows: readonly OpeningRow[]): Opening[] {
    const sql = `SELECT ${columns.map((name) => `e.${name}`)} FROM network_endpoints AS e
      JOIN containers AS c ON c.id = e.container
      WHERE e.container = ? AND e.network = ?${of === "active" ? " AND c.exit_code IS NULL" : ""}`;
    const find = (container: string) => {
      const row = this.#database.get<Row>(sql, container, network);
      return row && this.#endpoint(row);
    };
    return rows.flatMap(({ container, target, ports }) => {
      const [from, to] = [find(container), find(target)];
      return from && to ? [{ from, to, ports: JSON.parse(ports) as string[] }] : [];
    });
  }

  #add(network: string, container: string): string {
    const id = newId();
    const sql = "INSERT INTO network_endpoints (container, network, id, mac) VALUES (?, ?, ?, '')";
    this.#database.run(sql, container, network, id);
    return id;
  }

  #lease(
    network: Network,
    { subnet, range, reserved }: Bounds,
    container: string,
    fixed: Address | undefined,
    ofHost: readonly Address[] = [],
  ): Address {
    const hosts = ofHost.filter((each) => contains(subnet, each)).map(({ value }) => value);
    if (fixed && hosts.includes(fixed.value)) throw inUse(fixed, "this host");
    if (fixed && reserved.includes(fixed.value)) throw inUse(fixed);
    const taken = () => this.#taken(network.id, subnet, [...reserved, ...hosts]);
    const free = fixed ?? lowestFree(subnet, range, taken());
    const address = free ?? this.#idle(network.id, range);
    if (!address) {
      const text = `no available IPv${subnet.family} addresses on this network's address pools: ${network.name} (${network.id})`;
      throw new RtError("exhausted", text);
    }
    this.#giveIfIdle(network.id, address);
    const sql = "INSERT INTO network_leases (network, address, container) VALUES (?, ?, ?)";
    try {
      this.#database.run(sql, network.id, new Uint8Array(addressBytes(address)), container);
      return address;
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      const holder = this.#holderOf(network.id, address);
      throw inUse(address, holder === undefined ? undefined : `container ${holder}`);
    }
  }

  /** What nobody can get any more, in ascending order. */
  #taken(network: string, { family }: Subnet, reserved: readonly bigint[]): bigint[] {
    const sql = "SELECT address FROM network_leases WHERE network = ? AND length(address) = ?";
    const rows = this.#database.all<{ address: Uint8Array }>(sql, network, family === 4 ? 4 : 16);
    const leased = rows.map(({ address }) => addressOfBytes(address).value);
    return [...leased, ...reserved].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** An address of a container that does not run: the first. */
  #idle(network: string, within: Subnet): Address | undefined {
    const sql = `SELECT l.address FROM network_leases AS l JOIN containers AS c ON c.id = l.container
      WHERE l.network = ? AND c.exit_code IS NOT NULL ORDER BY l.address`;
    const rows = this.#database.all<{ address: Uint8Array }>(sql, network);
    return rows.map(({ address }) => addressOfBytes(address)).find((each) => contains(within, each));
  }

  /** The name of the container that has it. */
  #holderOf(network: string, address: Address): string | undefined {
    const sql = `SELECT c.name FROM network_leases AS l JOIN containers AS c ON c.id = l.container
      WHERE l.network = ? AND l.address = ?`;
    const bytes = new Uint8Array(addressBytes(address));
    return this.#database.get<{ name: string }>(sql, network, bytes)?.name;
  }

  #give(network: string, address: Address): void {
    const sql = "DELETE FROM network_leases WHERE network = ? AND address = ?";
    this.#database.run(sql, network, new Uint8Array(addressBytes(address)));
  }

  /** Of a default network that had other subnets before nobody needed it for a while. */
  #giveStrays({ id, record }: Network, own: NetworkEndpoint | undefined): void {
    for (const address of own?.addresses ?? [])
      if (!record.subnets.some((each) => contains(boundsOf(each).subnet, address))) this.#give(id, address);
  }

  #giveIfIdle(network: string, address: Address): void {
    const sql = `DELETE FROM network_leases WHERE network = ? AND address = ?
      AND container IN (SELECT id FROM containers WHERE exit_code IS NOT NULL)`;
    this.#database.run(sql, network, new Uint8Array(addressBytes(address)));
  }
}

/** @throws RtError invalid-argument: nobody there keeps containers to that */
function egressOf({ name, driver, record }: Network, own: readonly string[]): string[] | undefined {
  const { egress, guard } = bridgeOptions(record.options);
  const all = [...new Set([...own, ...egress])];
  if (all.length === 0) return undefined;
  if (driver === "bridge" && guard && !record.internal) return all;
  const why = record.internal ? "is internal" : guard ? `is of driver ${driver}` : "has no guard";
  const message = `conflicting options: --egress-allow and network ${name}, which ${why}`;
  throw new RtError("invalid-argument", message);
}

/** The lowest. */
function freeInterface(taken: readonly NetworkEndpoint[], prefix: string): string {
  for (let number = 0; ; number++)
    if (!taken.some((each) => each.interface === `${prefix}${number}`)) return `${prefix}${number}`;
}

interface Bounds {
  subnet: Subnet;
  range: Subnet;
  /** The gateway's, and those that are set aside. */
  reserved: bigint[];
}

function boundsOf({ subnet, gateway, range, auxiliary }: SubnetRecord): Bounds {
  const whole = parseCidr(subnet)!.subnet;
  const set = [...(gateway === "" ? [] : [gateway]), ...Object.values(auxiliary)];
  const reserved = set.map((text) => parseAddress(text)!.value);
  return { subnet: whole, range: range === undefined ? whole : parseCidr(range)!.subnet, reserved };
}

/** What is asked for while nobody takes it yet. @throws RtError invalid-argument: the network has no such address */
export function checkAddress({ name, record }: Network, text: string): void {
  // Those of the default one may not be chosen yet.
  if (record.subnets.length > 0) askedIn(record, name, text);
}

/** @throws RtError invalid-argument: the network has no such address */
function askedIn({ subnets }: NetworkRecord, name: string, text: string): Address | undefined {
  if (text === "") return undefined;
  const address = parseAddress(text);
  const home = address && subnets.find((each) => contains(boundsOf(each).subnet, address));
  if (address && home) {
    if (!isReserved(boundsOf(home).subnet, address)) return address;
    const why = `it is the first or the last of ${home.subnet}`;
    throw new RtError("invalid-argument", `address ${text} cannot be a container's: ${why}`);
  }
  const known = subnets.map(({ subnet }) => subnet).join(", ");
  const message = `no configured subnet contains the IP address ${text}: network ${name} has ${known}`;
  throw new RtError("invalid-argument", message);
}

function inUse(address: Address, holder?: string): RtError {
  const who = holder === undefined ? "" : `: ${holder} has it`;
  return new RtError("conflict", `address ${formatAddress(address)} is already in use on this network${who}`);
}

/**
 * Stable as the address is, so that nobody's table of neighbours is ever wrong: Docker's 02:42, and an address of IPv4; without
 * one what an address of IPv6 comes to.
 */
function macOf(addresses: readonly Address[]): string {
  const four = addresses.find(({ family }) => family === 4);
  const tail = four
    ? addressBytes(four)
    : [...new Bun.CryptoHasher("sha256").update(addresses.map(formatAddress).join()).digest().subarray(0, 4)];
  return [0x02, 0x42, ...tail].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
