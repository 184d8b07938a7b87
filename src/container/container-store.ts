import { RtError } from "../base/errors.ts";
import { encodeRecord } from "../store/codec.ts";
import type { Database } from "../store/database.ts";
import { noteImageUse } from "../store/image-use.ts";
import { acquireLease, isLeased, type Lease } from "../store/leases.ts";
import { isUniqueViolation } from "../store/sqlite-error.ts";
import { encodeCircumstances } from "./circumstances.ts";
import { DecodedRecords } from "./decoded-records.ts";
import { type ContainerRecord, containerType } from "./record.ts";
import type { ExitFacts } from "./state.ts";
import {
  type Container,
  type ContainerRemoval,
  type ContainerRow,
  containerColumns,
  isContainerId,
  recordOf,
  recordOfBytes,
  type StartFailure,
  StoredContainer,
} from "./stored-container.ts";

/** Among what a container has of volumes, which have no such names: a layer of an image that is mounted in it. */
const layerPrefix = "layer:";

/** What follows when a container is over, is removed, or gets another name; in the same transaction. */
interface Follower {
  leaving<T>(id: string, act: () => T): T;
  rename(id: string, name: string): void;
}

const nothingFollows: Follower = { leaving: (_, act) => act(), rename: () => {} };

/** Containers as they are wanted, and their exits. What they are doing now is state.ts's to say. */
export class ContainerStore {
  readonly #database: Database;
  readonly #copyOf: (id: string) => Uint8Array | undefined;
  readonly #follower: Follower;
  readonly #decoded = new DecodedRecords();

  /**
   * @param copyOf a second copy of a container's record, where there is one (state-file.ts): damage costs nothing then
   * @param follower its names in networks (network/name-store.ts)
   */
  constructor(
    database: Database,
    copyOf: (id: string) => Uint8Array | undefined = () => undefined,
    follower: Follower = nothingFollows,
  ) {
    this.#database = database;
    this.#copyOf = copyOf;
    this.#follower = follower;
  }

  /**
   * Write the record. With `rename` (for names that nobody chose) a name that is taken is replaced by another, asked for with
   * 1, 2, … One that is not `started` has nothing that a command must look after. Answers the record as it was written, and its bytes.
   * @throws RtError conflict: the name is taken (in Docker's words); not-found: the image was removed meanwhile. The image
   *   is looked at in the same transaction, so from here on its layers cannot be collected.
   */
  create(
    wanted: ContainerRecord,
    rename?: (attempt: number) => string,
    { started = true } = {},
  ): { record: ContainerRecord; bytes: Uint8Array } {
    const db = this.#database;
    return db.transaction(() => {
      if (!db.get("SELECT 1 FROM images WHERE id = ?", wanted.image.id)) {
        throw new RtError("not-found", `No such image: ${wanted.image.reference || wanted.image.id}`);
      }
      const created = this.#create(wanted, rename);
      if (!started) this.settle(wanted.id, undefined);
      return created;
    });
  }

  /**
   * A row for a container that runs without one: from the copy of its record, under another name where that is taken. Without
   * a copy that can be read it is a damaged one. Answers its name.
   */
  adopt(
    id: string,
    copy: Uint8Array | undefined,
    created: string,
    rename: (attempt: number) => string,
  ): string {
    const record = copy && recordOfBytes(copy, id);
    if (record) return this.#database.transaction(() => this.#create(record, rename)).record.name;
    const sql =
      "INSERT OR IGNORE INTO containers (id, name, image, created, record) VALUES (?, ?, '', ?, x'')";
    this.#database.transaction(() => {
      const added = this.#database.run(sql, id, id.slice(0, 12), created) > 0;
      if (added) this.#use(id, "*"); // it may be any
    });
    return id.slice(0, 12);
  }

  #create(wanted: ContainerRecord, rename: ((attempt: number) => string) | undefined) {
    let record = wanted;
    for (let attempt = 1; rename && this.#holderOf(record.name) !== undefined; attempt++) {
      record = { ...wanted, name: rename(attempt) };
    }
    const bytes = encodeRecord(containerType, record);
    this.#insert(record, bytes);
    noteImageUse(this.#database, record.image.id);
    this.#useVolumes(record);
    this.#useLinks(record);
    this.#useIds(record);
    return { record, bytes };
  }

  /** Its numbers on the host are nobody else's from here on (id-store.ts). */
  #useIds({ id, idMappings }: ContainerRecord): void {
    if (!idMappings) return;
    const sql = "INSERT OR IGNORE INTO container_ids (container, kind, first, size) VALUES (?, ?, ?, ?)";
    for (const kind of ["uids", "gids"] as const)
      for (const { host, size } of idMappings[kind]) this.#database.run(sql, id, kind, host, size);
  }

  #useVolumes({ id, mounts }: ContainerRecord): void {
    for (const { type, name, chain = [] } of mounts) {
      if (type === "volume" && name !== undefined) this.#use(id, name);
      for (const layer of chain) this.#use(id, layerPrefix + layer);
    }
  }

  #useLinks({ id, networks = [] }: ContainerRecord): void {
    this.#database.run("DELETE FROM container_links WHERE container = ?", id);
    for (const link of networks.flatMap(({ links }) => links)) {
      const target = link.slice(0, link.indexOf(":"));
      const sql = "INSERT OR IGNORE INTO container_links (container, target) VALUES (?, ?)";
      if (isContainerId(target)) this.#database.run(sql, id, target);
    }
  }

  /** Those that have this one by a name of their own. */
  linkedTo(id: string): string[] {
    const sql = "SELECT container FROM container_links WHERE target = ? ORDER BY container";
    return this.#database.all<{ container: string }>(sql, id).map(({ container }) => container);
  }

  /** From now on the volume is in use: see schema.ts. */
  #use(id: string, volume: string): void {
    this.#database.run(
      "INSERT OR IGNORE INTO container_volumes (container, volume) VALUES (?, ?)",
      id,
      volume,
    );
  }

  #insert(record: ContainerRecord, bytes: Uint8Array): void {
    try {
      this.#database.run(
        `INSERT INTO containers (id, name, image, created, reference, command, auto_remove, record)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        record.id,
        record.name,
        record.image.id,
        record.created,
        record.image.reference,
        asWords(record.args),
        record.autoRemove ? 1 : 0,
        bytes,
      );
    } catch (error) {
      throw isUniqueViolation(error) ? this.#taken(record, error) : error;
    }
  }

  /**
   * Under another name from here on. A record that is damaged keeps the old one in it: the column is what counts.
   * @returns the bytes of the record, for its second copy
   * @throws RtError conflict: the name is taken (in Docker's words); not-found: the container went meanwhile
   */
  rename(container: Container, name: string): Uint8Array {
    const db = this.#database;
    return db.transaction(() => {
      const row = db.get<ContainerRow>(
        `SELECT ${containerColumns} FROM containers WHERE id = ?`,
        container.id,
      );
      if (!row) throw noSuchContainer(container.name);
      const record = recordOf(this.#container(row));
      const bytes = record ? encodeRecord(containerType, { ...record, name }) : row.record;
      try {
        db.run("UPDATE containers SET name = ?, record = ? WHERE id = ?", name, bytes, row.id);
      } catch (error) {
        throw isUniqueViolation(error) ? this.#taken({ id: row.id, name }, error) : error;
      }
      this.#follower.rename(row.id, name);
      return bytes;
    });
  }

  /**
   * It is to be another one from here on, but for its name and what else stands in containerColumns.
   * @param within done in the same transaction
   * @returns the bytes of the record, for its second copy
   * @throws RtError not-found: the container went meanwhile; data-loss
   */
  update(
    id: string,
    change: (record: ContainerRecord) => ContainerRecord,
    within: () => void = () => {},
  ): Uint8Array {
    return this.#database.transaction(() => {
      const bytes = this.replace(change(this.get(id).record));
      within();
      return bytes;
    });
  }

  /** The same in a transaction of the caller's, who has read the record in it. */
  replace(record: ContainerRecord): Uint8Array {
    const bytes = encodeRecord(containerType, record);
    this.#database.run("UPDATE containers SET record = ? WHERE id = ?", bytes, record.id);
    this.#useLinks(record);
    return bytes;
  }

  #holderOf(name: string): string | undefined {
    return this.#database.get<{ id: string }>("SELECT id FROM containers WHERE name = ?", name)?.id;
  }

  #taken(record: Pick<ContainerRecord, "id" | "name">, cause: unknown): RtError {
    const holder = this.#holderOf(record.name);
    if (!holder) return new RtError("conflict", `container ${record.id} exists already`, { cause });
    return new RtError(
      "conflict",
      `Conflict. The container name "/${record.name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
      { cause },
    );
  }

  /** By ID, by name (with or without "/"), else by the beginning of one ID. @throws RtError not-found | invalid-argument */
  get(text: string): Container {
    const found = this.find(text);
    if (!found) throw noSuchContainer(text);
    return found;
  }

  find(text: string): Container | undefined {
    const row = this.#row(text);
    return row && this.#container(row);
  }

  #row(text: string): ContainerRow | undefined {
    const db = this.#database;
    if (isContainerId(text))
      return db.get<ContainerRow>(`SELECT ${containerColumns} FROM containers WHERE id = ?`, text);
    const name = text.startsWith("/") ? text.slice(1) : text;
    const byName = db.get<ContainerRow>(`SELECT ${containerColumns} FROM containers WHERE name = ?`, name);
    if (byName || !/^[0-9a-f]{1,63}$/.test(text)) return byName;
    const sql = `SELECT ${containerColumns} FROM containers WHERE id >= ? AND id < ? ORDER BY id LIMIT 2`;
    const rows = db.all<ContainerRow>(sql, text, `${text}g`);
    if (rows.length <= 1) return rows[0];
    throw new RtError("invalid-argument", `multiple IDs found with provided prefix: ${text}`);
  }

  /** All, the damaged ones too. */
  list(): Container[] {
    return this.#all(`SELECT ${containerColumns} FROM containers`);
  }

  /** Those whose end, or whose removal, is not over: what runs, and what a killed client or monitor has left. */
  unsettled(): Container[] {
    const sql = `SELECT ${containerColumns} FROM containers WHERE exit_code IS NULL`;
    const removed = "removal IS NOT NULL AND exit_code IS NOT NULL";
    return this.#all(`${sql} UNION ALL SELECT ${containerColumns} FROM containers WHERE ${removed}`);
  }

  /** Has it ports that have to be taken away at its end? */
  hasPorts(id: string): boolean {
    return this.#database.get("SELECT 1 FROM container_ports WHERE container = ? LIMIT 1", id) !== undefined;
  }

  somePorts(): boolean {
    return this.#database.get("SELECT 1 FROM container_ports LIMIT 1") !== undefined;
  }

  /** Is somebody just changing ports of one that runs, or has he died over that? */
  hasPendingPorts(): boolean {
    return (
      this.#database.get("SELECT 1 FROM container_ports WHERE pending IS NOT NULL LIMIT 1") !== undefined
    );
  }

  unsettledIds(): string[] {
    const sql =
      "SELECT id FROM containers WHERE exit_code IS NULL UNION SELECT id FROM containers WHERE removal IS NOT NULL";
    return this.#database.all<{ id: string }>(sql).map(({ id }) => id);
  }

  /** Those that run, and of whose networks one is not as the record says: somebody is just changing that, or has died over it. */
  amidChange(): string[] {
    const sql = "SELECT DISTINCT container FROM network_endpoints WHERE pending = 1";
    return this.#database.all<{ container: string }>(sql).map(({ container }) => container);
  }

  /** Those that it is in, or was when it last ran. */
  networksOf(id: string): { id: string; name: string; driver: string }[] {
    const sql = `SELECT n.id, n.name, n.driver FROM network_endpoints AS e JOIN networks AS n ON n.id = e.network
      WHERE e.container = ? ORDER BY e.interface`;
    return this.#database.all(sql, id);
  }

  /** chainIDs of what containers have mounted of images; undefined: of one that nobody can read that is unknown. */
  mountedLayers(): string[] | undefined {
    const sql = "SELECT DISTINCT volume FROM container_volumes WHERE volume = '*' OR volume GLOB ?";
    const found = this.#database.all<{ volume: string }>(sql, `${layerPrefix}*`).map(({ volume }) => volume);
    return found.includes("*") ? undefined : found.map((each) => each.slice(layerPrefix.length));
  }

  /** Those of images that are no longer here. */
  ofGoneImages(): Container[] {
    return this.#all(`SELECT ${containerColumns} FROM containers WHERE image NOT IN (SELECT id FROM images)`);
  }

  #all(sql: string): Container[] {
    return this.#database.all<ContainerRow>(sql).map((row) => this.#container(row));
  }

  ids(): string[] {
    return this.#database.all<{ id: string }>("SELECT id FROM containers").map((row) => row.id);
  }

  count(): number {
    return this.#database.get<{ n: number }>("SELECT count(*) AS n FROM containers")?.n ?? 0;
  }

  /** The record as it is stored, for its second copy. */
  bytesOf(record: ContainerRecord): Uint8Array {
    return encodeRecord(containerType, record);
  }

  /** Has it a place in any network? */
  isInNetworks(id: string): boolean {
    const sql = "SELECT 1 FROM network_endpoints WHERE container = ? LIMIT 1";
    return this.#database.get(sql, id) !== undefined;
  }

  /** Put the second copy in the place of a record that is damaged. False when there is none, or it is no better. */
  restore(container: Container): boolean {
    const { id } = container;
    const copy = container.damage?.code === "data-loss" ? this.#copyOf(id) : undefined;
    const record = copy && recordOfBytes(copy, id);
    if (!copy || !record) return false;
    return this.#database.transaction(() => {
      if (this.#database.run("UPDATE containers SET record = ? WHERE id = ?", copy, id) === 0) return false;
      this.#database.run("DELETE FROM container_volumes WHERE container = ?", id);
      this.#useVolumes(record);
      this.#useLinks(record);
      this.#useIds(record);
      return true;
    });
  }

  /** The exit is written once, by whoever sees it first; later observers change nothing. Answers whether it was us. */
  recordExit(id: string, facts: ExitFacts): boolean {
    const sql = `UPDATE containers SET exit_code = ?, started_at = ?, finished_at = ?, error = ?, circumstances = ?
       WHERE id = ? AND exit_code IS NULL`;
    const values = [
      facts.exitCode,
      facts.startedAt,
      facts.finishedAt,
      facts.error,
      encodeCircumstances(facts.circumstances),
    ];
    return this.#follower.leaving(id, () => this.#database.run(sql, ...values, id)) > 0;
  }

  /**
   * Nothing of it runs, and its state directory has nothing to say: it ended as `exit` says, or was never started: then a status
   * stands in its row for the index of those that are unsettled, and no time.
   */
  settle(id: string, exit: ExitFacts | undefined): void {
    const facts = [
      exit?.exitCode ?? 0,
      exit?.startedAt ?? null,
      exit?.finishedAt ?? null,
      exit?.error ?? null,
      encodeCircumstances(exit?.circumstances),
    ];
    const sql = `UPDATE containers SET exit_code = ?, started_at = ?, finished_at = ?, error = ?, circumstances = ?
      WHERE id = ? AND exit_code IS NULL`;
    this.#follower.leaving(id, () => this.#database.run(sql, ...facts, id));
  }

  /** It is settled, and an attempt to start it came to nothing. */
  recordFailure(id: string, { exitCode, error }: StartFailure): void {
    const sql = "UPDATE containers SET exit_code = ?, error = ? WHERE id = ? AND exit_code IS NOT NULL";
    this.#database.run(sql, exitCode, error, id);
  }

  /** Does somebody want it to stay down? */
  setStopped(id: string, stopped: boolean): void {
    const value = stopped ? 1 : 0;
    this.#database.run("UPDATE containers SET stopped = ? WHERE id = ? AND stopped <> ?", value, id, value);
  }

  /** It is about to be started again: its last exit is history. */
  clearExit(id: string): void {
    const sql = `UPDATE containers SET exit_code = NULL, started_at = NULL, finished_at = NULL, error = NULL,
      circumstances = NULL WHERE id = ?`;
    this.#database.run(sql, id);
  }

  /**
   * It is being removed from here on, by us while the lease lasts, and by the next command should we die.
   * @param isOver looked at in the same transaction: it may have been started again
   * @returns undefined: it is not over, or gone
   */
  condemn(id: string, { volumes }: ContainerRemoval, isOver: () => boolean): Lease | undefined {
    let isOurs = false;
    const lease = acquireLease(this.#database, [removalOf(id)], () => {
      if (!isOver()) return;
      const sql = "UPDATE containers SET removal = max(?, coalesce(removal, 0)) WHERE id = ?";
      isOurs = this.#database.run(sql, volumes ? 2 : 1, id) > 0;
    });
    if (!isOurs) lease[Symbol.dispose]();
    return isOurs ? lease : undefined;
  }

  /** Does he who has begun to remove it live? */
  isBeingRemoved(id: string): boolean {
    return isLeased(this.#database, removalOf(id));
  }

  /** False when it was gone already. */
  remove(id: string): boolean {
    return this.delete(id) !== undefined;
  }

  /** @returns what it was, to the one of us who has removed it; undefined when it was gone already */
  delete(id: string): Container | undefined {
    const sql = `DELETE FROM containers WHERE id = ? RETURNING ${containerColumns}`;
    const row = this.#follower.leaving(id, () => this.#database.get<ContainerRow>(sql, id));
    return row && this.#container(row);
  }

  #container(row: ContainerRow): Container {
    return new StoredContainer(row, this.#copyOf, this.#decoded);
  }
}

const removalOf = (id: string): string => `removal:${id}`;

/** As Docker shows a command: a word with a space in it stands in quotes. */
function asWords(args: readonly string[]): string {
  return args.map((word, index) => (index > 0 && word.includes(" ") ? `'${word}'` : word)).join(" ");
}

function noSuchContainer(text: string): RtError {
  return new RtError("not-found", `No such container: ${text}`, { exitCode: 1 });
}
