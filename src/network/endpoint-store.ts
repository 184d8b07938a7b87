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
import type { Network } from "./network-store.ts";
import type { NetworkRecord, SubnetRecord } from "./record.ts";

/** A container's place in a network. */
export interface NetworkEndpoint {
  /** 64 hex digits. */
  id: string;
  container: string;
  network: string;
  /** "02:42:ac:11:00:02" */
  mac: string;
  /** One in each subnet, in their order; fewer of one that does not run, when somebody else has needed them. */
  addresses: Address[];
}

/** Of a container that runs, or is about to. */
export interface ActiveEndpoint extends NetworkEndpoint {
  containerName: string;
}

type Row = Omit<NetworkEndpoint, "addresses">;

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
    const sql = `SELECT e.id, e.container, e.network, e.mac, c.name FROM network_endpoints AS e
      JOIN containers AS c ON c.id = e.container WHERE e.network = ? AND c.exit_code IS NULL ORDER BY c.name`;
    return this.#database
      .all<Row & { name: string }>(sql, network)
      .map(({ name, ...row }) => ({ ...this.#endpoint(row), containerName: name }));
  }

  /** Those of a container, whether or not it runs. */
  ofContainer(container: string): NetworkEndpoint[] {
    const sql = "SELECT id, container, network, mac FROM network_endpoints WHERE container = ?";
    return this.#database.all<Row>(sql, container).map((row) => this.#endpoint(row));
  }

  #endpoint(row: Row): NetworkEndpoint {
    const sql =
      "SELECT address FROM network_leases WHERE container = ? AND network = ? ORDER BY length(address)";
    const rows = this.#database.all<{ address: Uint8Array }>(sql, row.container, row.network);
    return { ...row, addresses: rows.map(({ address }) => addressOfBytes(address)) };
  }

  /**
   * A container's place in a network: the one that it has had, as far as nobody else has it now.
   *
   * @param find the network, in the same transaction
   * @param asked an address and a MAC of the user's; "" leaves them to us
   * @throws RtError not-found: the container went meanwhile; conflict | exhausted | invalid-argument: the address that is asked
   *   for, or any
   */
  connect(find: () => Network, container: string, asked: { address: string; mac: string }): NetworkEndpoint {
    const db = this.#database;
    return db.transaction(() => {
      const network = find();
      if (!db.get("SELECT 1 FROM containers WHERE id = ?", container))
        throw new RtError("not-found", `No such container: ${container}`);
      const { subnets } = network.record;
      const wanted = askedIn(network.record, network.name, asked.address);
      const own = this.ofContainer(container).find((each) => each.network === network.id);
      const id = own?.id ?? this.#add(network.id, container);
      const addresses = subnets.map((each) => {
        const bounds = boundsOf(each);
        const fixed = wanted && contains(bounds.subnet, wanted) ? wanted : undefined;
        const kept = own?.addresses.find((address) => contains(bounds.subnet, address));
        if (kept && (!fixed || fixed.value === kept.value)) return kept;
        if (kept) this.#give(network.id, kept);
        return this.#lease(network, bounds, container, fixed);
      });
      const mac = asked.mac || macOf(addresses, container);
      const sql = "UPDATE network_endpoints SET mac = ? WHERE container = ? AND network = ?";
      db.run(sql, mac, container, network.id);
      return { id, container, network: network.id, mac, addresses };
    });
  }

  #add(network: string, container: string): string {
    const id = newId();
    const sql = "INSERT INTO network_endpoints (container, network, id, mac) VALUES (?, ?, ?, '')";
    this.#database.run(sql, container, network, id);
    return id;
  }

  #lease(network: Network, bounds: Bounds, container: string, fixed: Address | undefined): Address {
    const { subnet, range, reserved } = bounds;
    if (fixed && reserved.includes(fixed.value)) throw inUse(fixed);
    const free = fixed ?? lowestFree(subnet, range, this.#taken(network.id, subnet, reserved));
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
      throw isUniqueViolation(error) ? inUse(address) : error;
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

  #give(network: string, address: Address): void {
    const sql = "DELETE FROM network_leases WHERE network = ? AND address = ?";
    this.#database.run(sql, network, new Uint8Array(addressBytes(address)));
  }

  #giveIfIdle(network: string, address: Address): void {
    const sql = `DELETE FROM network_leases WHERE network = ? AND address = ?
      AND container IN (SELECT id FROM containers WHERE exit_code IS NOT NULL)`;
    this.#database.run(sql, network, new Uint8Array(addressBytes(address)));
  }
}

interface Bounds {
  subnet: Subnet;
  range: Subnet;
  /** The gateway's, and those that are set aside. */
  reserved: bigint[];
}

function boundsOf({ subnet, gateway, range, auxiliary }: SubnetRecord): Bounds {
  const whole = parseCidr(subnet)!.subnet;
  const reserved = [gateway, ...Object.values(auxiliary)].map((text) => parseAddress(text)!.value);
  return { subnet: whole, range: range === undefined ? whole : parseCidr(range)!.subnet, reserved };
}

/** @throws RtError invalid-argument: the network has no such address */
function askedIn({ subnets }: NetworkRecord, name: string, text: string): Address | undefined {
  if (text === "") return undefined;
  const address = parseAddress(text);
  const home =
    address && subnets.map((each) => boundsOf(each).subnet).find((each) => contains(each, address));
  if (address && home && !isReserved(home, address)) return address;
  const known = subnets.map(({ subnet }) => subnet).join(", ");
  const message = `no configured subnet contains the IP address ${text}: network ${name} has ${known}`;
  throw new RtError("invalid-argument", message);
}

function inUse(address: Address): RtError {
  return new RtError("conflict", `address ${formatAddress(address)} is already in use on this network`);
}

/** Stable as the address is, so that nobody's table of neighbours is ever wrong: Docker's 02:42, and those of IPv4. */
function macOf(addresses: readonly Address[], container: string): string {
  const four = addresses.find(({ family }) => family === 4);
  const tail = four
    ? addressBytes(four).map((byte) => byte.toString(16).padStart(2, "0"))
    : container.slice(0, 8).match(/../g)!;
  return ["02", "42", ...tail].join(":");
}
