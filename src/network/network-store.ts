import { RtError } from "../base/errors.ts";
import { newId } from "../base/new-id.ts";
import { decodeRecord, encodeRecord } from "../store/codec.ts";
import type { Database } from "../store/database.ts";
import { isPredefined, type NetworkRecord, networkType, predefined } from "./record.ts";

/** A network as the store has it. Columns are there whatever has happened to the record. */
export interface Network {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** "bridge", "host", "null". */
  readonly driver: string;
  /** RFC 3339. */
  readonly created: string;
  /** The host's; "" of a network that has none, or none yet. */
  readonly interface: string;
  /** @throws RtError data-loss | unsupported */
  readonly record: NetworkRecord;
}

/** What a network is to be. */
export interface NetworkPlan {
  interface: string;
  record: NetworkRecord;
}

interface Row {
  id: string;
  name: string;
  driver: string;
  created: string;
  interface: string | null;
  record: Uint8Array;
}

const columns = "id, name, driver, created, interface, record";
const nothing: NetworkRecord = { labels: {}, options: {}, internal: false, subnets: [] };

/** Networks, three of which are there from the beginning. */
export class NetworkStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    if (!this.#named("none")) this.#addPredefined();
  }

  #addPredefined(): void {
    this.#database.transaction(() => {
      for (const [name, driver] of Object.entries(predefined)) {
        if (this.#named(name)) continue; // somebody else was first
        this.#insert(newId(), name, driver, { interface: "", record: nothing });
      }
    });
  }

  #insert(id: string, name: string, driver: string, plan: NetworkPlan): void {
    const sql = `INSERT INTO networks (${columns}) VALUES (?, ?, ?, ?, ?, ?)`;
    const created = new Date().toISOString();
    const record = encodeRecord(networkType, plan.record);
    this.#database.run(sql, id, name, driver, created, plan.interface || null, record);
  }

  /**
   * @param plan what it is to be, once its id and the others are known: none is made or changed meanwhile
   * @throws RtError conflict: there is one of this name
   */
  create(
    name: string,
    driver: string,
    plan: (id: string, others: readonly Network[]) => NetworkPlan,
  ): Network {
    return this.#database.transaction(() => {
      if (this.#named(name))
        throw new RtError("conflict", `network with name ${name} already exists`, { exitCode: 1 });
      const id = newId();
      this.#insert(id, name, driver, plan(id, this.list()));
      return this.get(id);
    });
  }

  /**
   * It is to be another one from here on, as `create`; or not.
   * @param after done in the same transaction, when it is another one
   * @returns how it is then
   */
  change(
    id: string,
    plan: (own: Network, others: readonly Network[]) => NetworkPlan | undefined,
    after: () => void = () => {},
  ): Network {
    return this.#database.transaction(() => {
      const others = this.list().filter((each) => each.id !== id);
      const wanted = plan(this.get(id), others);
      if (wanted) {
        const sql = "UPDATE networks SET interface = ?, record = ? WHERE id = ?";
        this.#database.run(sql, wanted.interface || null, encodeRecord(networkType, wanted.record), id);
        after();
      }
      return this.get(id);
    });
  }

  /** `act` while no network is made, changed or taken away. */
  exclusively(act: () => void): void {
    this.#database.transaction(act);
  }

  /** By name, by id, else by the beginning of one id. @throws RtError not-found, in Docker's words; invalid-argument */
  get(text: string): Network {
    const network = this.find(text);
    if (network) return network;
    throw new RtError("not-found", `network ${text} not found`, { exitCode: 1 });
  }

  /** The same, where it may be that there is none. @throws RtError invalid-argument: the beginning of several */
  find(text: string): Network | undefined {
    const row = this.#named(text);
    if (row) return new StoredNetwork(row);
    const sql = `SELECT ${columns} FROM networks WHERE id >= ? AND id < ? ORDER BY id LIMIT 2`;
    const rows = /^[0-9a-f]{1,64}$/.test(text) ? this.#database.all<Row>(sql, text, `${text}g`) : [];
    if (rows.length > 1) {
      const message = `network ${text} is ambiguous: several ids begin so`;
      throw new RtError("invalid-argument", message, { exitCode: 1 });
    }
    return rows[0] && new StoredNetwork(rows[0]);
  }

  #named(name: string): Row | undefined {
    return this.#database.get<Row>(`SELECT ${columns} FROM networks WHERE name = ?`, name);
  }

  /** All, the damaged ones too, by name. */
  list(): Network[] {
    const rows = this.#database.all<Row>(`SELECT ${columns} FROM networks ORDER BY name`);
    return rows.map((row) => new StoredNetwork(row));
  }

  /** Of those that have an interface of the host's: what there is to fence. It is another text when one comes, goes or changes. */
  fingerprint(): string {
    const sql = "SELECT id, interface FROM networks WHERE interface IS NOT NULL ORDER BY id";
    const rows = this.#database.all<{ id: string; interface: string }>(sql);
    return rows.map((row) => `${row.id} ${row.interface}`).join("\n");
  }

  /**
   * Take a network out of the world.
   * @param usersOf the containers in it, in Docker's words
   * @param after done in the same transaction: should that be cut short, the network is there still
   * @throws RtError not-found; forbidden: it is always there; conflict: a container is in it
   */
  take(
    text: string,
    usersOf: (id: string) => readonly string[],
    after: (network: Network) => void = () => {},
  ): Network {
    return this.#database.transaction(() => {
      const network = this.get(text);
      const { id, name } = network;
      if (isPredefined(name)) {
        const message = `${name} is a pre-defined network and cannot be removed`;
        throw new RtError("forbidden", message, { exitCode: 1 });
      }
      const users = usersOf(id);
      if (users.length > 0) {
        const message = `error while removing network: network ${name} has active endpoints (${users.join(", ")})`;
        throw new RtError("conflict", message, { exitCode: 1 });
      }
      this.#database.run("DELETE FROM networks WHERE id = ?", id);
      after(network);
      return network;
    });
  }
}

class StoredNetwork implements Network {
  readonly #row: Row;
  #record: NetworkRecord | undefined;

  constructor(row: Row) {
    this.#row = row;
  }

  get id(): string {
    return this.#row.id;
  }

  get name(): string {
    return this.#row.name;
  }

  get driver(): string {
    return this.#row.driver;
  }

  get created(): string {
    return this.#row.created;
  }

  get interface(): string {
    return this.#row.interface ?? "";
  }

  get record(): NetworkRecord {
    this.#record ??= decodeRecord(networkType, this.#row.record, this.name);
    return this.#record;
  }
}
