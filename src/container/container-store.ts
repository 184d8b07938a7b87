import { RtError } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import { checkedBody, decodeRecord, encodeRecord } from "../store/codec.ts";
import type { Database } from "../store/database.ts";
import { acquireLease, isLeased, type Lease } from "../store/leases.ts";
import { isUniqueViolation } from "../store/sqlite-error.ts";
import { decodeCircumstances, encodeCircumstances } from "./circumstances.ts";
import { type ContainerRecord, containerType } from "./record.ts";
import type { ExitFacts } from "./state.ts";

/**
 * A container as the store has it. What stands in columns is there whatever has happened to the record, so that one which
 * is damaged can be listed, killed and removed like any other.
 */
export interface Container {
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly imageId: Digest;
  /** The image as the user called it, and the words of the command: "" of a damaged one when they are unknown. */
  readonly reference: string;
  readonly command: string;
  readonly autoRemove: boolean;
  /** Once somebody has seen the exit and written it down. */
  readonly exit: ExitFacts | undefined;
  /** Of one that has never run: why the last attempt to start it came to nothing. Of others `exit` says so. */
  readonly failure: StartFailure | undefined;
  /** Its end is on record, or it was never started: unless it has a state directory, nothing of it is to be looked for. */
  readonly isSettled: boolean;
  /** Somebody has begun to remove it: it is not to be started any more. */
  readonly removal: Removal | undefined;
  /** Somebody wanted it to stay down, and nobody has started it since. */
  readonly isStopped: boolean;
  /** Why the record is not to be believed, as far as header and checksum tell. */
  readonly damage: RtError | undefined;
  /** All of it, decoded when it is first asked for. @throws RtError data-loss | unsupported */
  readonly record: ContainerRecord;
}

export interface StartFailure {
  exitCode: number;
  error: string;
}

interface Removal {
  /** With the volumes that nobody named. */
  volumes: boolean;
}

interface Row {
  id: string;
  name: string;
  image: string;
  created: string;
  reference: string | null;
  command: string | null;
  auto_remove: number;
  record: Uint8Array;
  exit_code: number | null;
  started_at: string | null;
  finished_at: string | null;
  error: string | null;
  circumstances: string | null;
  removal: number | null;
  stopped: number;
}

const columns = [
  ...["id", "name", "image", "created", "reference", "command", "auto_remove", "record"],
  ...["exit_code", "started_at", "finished_at", "error", "circumstances", "removal", "stopped"],
].join(", ");

/** Among what a container has of volumes, which have no such names: a layer of an image that is mounted in it. */
const layerPrefix = "layer:";

/** 64 hex digits: what may be the name of a directory. */
export function isContainerId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Containers as they are wanted, and their exits. What they are doing now is state.ts's to say. */
export class ContainerStore {
  readonly #database: Database;
  readonly #copyOf: (id: string) => Uint8Array | undefined;

  /** @param copyOf a second copy of a container's record, where there is one (state-file.ts): damage costs nothing then */
  constructor(database: Database, copyOf: (id: string) => Uint8Array | undefined = () => undefined) {
    this.#database = database;
    this.#copyOf = copyOf;
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
    const record = copy && readable(copy, id);
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
    this.#useVolumes(record);
    return { record, bytes };
  }

  #useVolumes({ id, mounts }: ContainerRecord): void {
    for (const { type, name, chain = [] } of mounts) {
      if (type === "volume" && name !== undefined) this.#use(id, name);
      for (const layer of chain) this.#use(id, layerPrefix + layer);
    }
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
      const row = db.get<Row>(`SELECT ${columns} FROM containers WHERE id = ?`, container.id);
      if (!row) throw noSuchContainer(container.name);
      const record = recordOf(this.#container(row));
      const bytes = record ? encodeRecord(containerType, { ...record, name }) : row.record;
      try {
        db.run("UPDATE containers SET name = ?, record = ? WHERE id = ?", name, bytes, row.id);
      } catch (error) {
        throw isUniqueViolation(error) ? this.#taken({ id: row.id, name }, error) : error;
      }
      return bytes;
    });
  }

  /**
   * It is to be another one from here on, but for its name and what else stands in columns.
   * @returns the bytes of the record, for its second copy
   * @throws RtError not-found: the container went meanwhile; data-loss
   */
  update(id: string, change: (record: ContainerRecord) => ContainerRecord): Uint8Array {
    const db = this.#database;
    return db.transaction(() => {
      const bytes = encodeRecord(containerType, change(this.get(id).record));
      db.run("UPDATE containers SET record = ? WHERE id = ?", bytes, id);
      return bytes;
    });
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

  #row(text: string): Row | undefined {
    const db = this.#database;
    if (isContainerId(text)) return db.get<Row>(`SELECT ${columns} FROM containers WHERE id = ?`, text);
    const name = text.startsWith("/") ? text.slice(1) : text;
    const byName = db.get<Row>(`SELECT ${columns} FROM containers WHERE name = ?`, name);
    if (byName || !/^[0-9a-f]{1,63}$/.test(text)) return byName;
    const sql = `SELECT ${columns} FROM containers WHERE id >= ? AND id < ? ORDER BY id LIMIT 2`;
    const rows = db.all<Row>(sql, text, `${text}g`);
    if (rows.length <= 1) return rows[0];
    throw new RtError("invalid-argument", `multiple IDs found with provided prefix: ${text}`);
  }

  /** All, the damaged ones too. */
  list(): Container[] {
    return this.#all(`SELECT ${columns} FROM containers`);
  }

  /** Those whose end, or whose removal, is not over: what runs, and what a killed client or monitor has left. */
  unsettled(): Container[] {
    const sql = `SELECT ${columns} FROM containers WHERE exit_code IS NULL`;
    const removed = "removal IS NOT NULL AND exit_code IS NOT NULL";
    return this.#all(`${sql} UNION ALL SELECT ${columns} FROM containers WHERE ${removed}`);
  }

  unsettledIds(): string[] {
    const sql =
      "SELECT id FROM containers WHERE exit_code IS NULL UNION SELECT id FROM containers WHERE removal IS NOT NULL";
    return this.#database.all<{ id: string }>(sql).map(({ id }) => id);
  }

  /** chainIDs of what containers have mounted of images; undefined: of one that nobody can read that is unknown. */
  mountedLayers(): string[] | undefined {
    const sql = "SELECT DISTINCT volume FROM container_volumes WHERE volume = '*' OR volume GLOB ?";
    const found = this.#database.all<{ volume: string }>(sql, `${layerPrefix}*`).map(({ volume }) => volume);
    return found.includes("*") ? undefined : found.map((each) => each.slice(layerPrefix.length));
  }

  /** Those of images that are no longer here. */
  ofGoneImages(): Container[] {
    return this.#all(`SELECT ${columns} FROM containers WHERE image NOT IN (SELECT id FROM images)`);
  }

  #all(sql: string): Container[] {
    return this.#database.all<Row>(sql).map((row) => this.#container(row));
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

  /** Put the second copy in the place of a record that is damaged. False when there is none, or it is no better. */
  restore(container: Container): boolean {
    const { id } = container;
    const copy = container.damage?.code === "data-loss" ? this.#copyOf(id) : undefined;
    const record = copy && readable(copy, id);
    if (!copy || !record) return false;
    return this.#database.transaction(() => {
      if (this.#database.run("UPDATE containers SET record = ? WHERE id = ?", copy, id) === 0) return false;
      this.#database.run("DELETE FROM container_volumes WHERE container = ?", id);
      this.#useVolumes(record);
      return true;
    });
  }

  /** The exit is written once, by whoever sees it first; later observers change nothing. Answers whether it was us. */
  recordExit(id: string, facts: ExitFacts): boolean {
    const changes = this.#database.run(
      `UPDATE containers SET exit_code = ?, started_at = ?, finished_at = ?, error = ?, circumstances = ?
       WHERE id = ? AND exit_code IS NULL`,
      facts.exitCode,
      facts.startedAt,
      facts.finishedAt,
      facts.error,
      encodeCircumstances(facts.circumstances),
      id,
    );
    return changes > 0;
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
    this.#database.run(sql, ...facts, id);
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
  condemn(id: string, { volumes }: Removal, isOver: () => boolean): Lease | undefined {
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
    const row = this.#database.get<Row>(`DELETE FROM containers WHERE id = ? RETURNING ${columns}`, id);
    return row && this.#container(row);
  }

  #container(row: Row): Container {
    return new StoredContainer(row, this.#copyOf);
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

class StoredContainer implements Container {
  readonly #row: Row;
  readonly #copyOf: (id: string) => Uint8Array | undefined;
  #record: ContainerRecord | undefined;
  #damage: RtError | null | undefined;

  constructor(row: Row, copyOf: (id: string) => Uint8Array | undefined) {
    this.#row = row;
    this.#copyOf = copyOf;
  }

  get id(): string {
    return this.#row.id;
  }

  get name(): string {
    return this.#row.name;
  }

  get created(): string {
    return this.#row.created;
  }

  get imageId(): Digest {
    return this.#row.image as Digest;
  }

  get reference(): string {
    return this.#row.reference ?? "";
  }

  get command(): string {
    return this.#row.command ?? "";
  }

  get autoRemove(): boolean {
    return this.#row.auto_remove === 1;
  }

  get exit(): ExitFacts | undefined {
    const { exit_code, started_at, finished_at, error } = this.#row;
    if (exit_code === null || finished_at === null) return undefined;
    const circumstances = decodeCircumstances(this.#row.circumstances);
    return {
      exitCode: exit_code,
      startedAt: started_at ?? "",
      finishedAt: finished_at ?? "",
      error: error ?? "",
      ...(circumstances && { circumstances }),
    };
  }

  get isSettled(): boolean {
    return this.#row.exit_code !== null;
  }

  get removal(): Removal | undefined {
    const { removal } = this.#row;
    return removal === null ? undefined : { volumes: removal === 2 };
  }

  get isStopped(): boolean {
    return this.#row.stopped === 1;
  }

  get failure(): StartFailure | undefined {
    const { exit_code, finished_at, error } = this.#row;
    const isOne = exit_code !== null && finished_at === null && error !== null;
    return isOne ? { exitCode: exit_code, error } : undefined;
  }

  get damage(): RtError | undefined {
    if (this.#damage === undefined) this.#damage = this.#check() ?? null;
    return this.#damage ?? undefined;
  }

  #check(): RtError | undefined {
    if (!isContainerId(this.id)) {
      const text = `the id of container ${this.name} is damaged: remove the container with rt rm -f`;
      return new RtError("data-loss", text);
    }
    try {
      checkedBody(containerType, this.#row.record, this.name);
      return undefined;
    } catch (error) {
      if (error instanceof RtError) return error;
      throw error;
    }
  }

  get record(): ContainerRecord {
    this.#record ??= this.#decode();
    return this.#record;
  }

  #decode(): ContainerRecord {
    try {
      return decodeRecord(containerType, this.#row.record, this.name);
    } catch (error) {
      const isDamaged = error instanceof RtError && error.code === "data-loss" && isContainerId(this.id);
      const copy = isDamaged ? this.#copyOf(this.id) : undefined;
      const record = copy && readable(copy, this.id);
      if (!record) throw error;
      return record;
    }
  }
}

/** The record of container `id` in these bytes, if it is that. */
function readable(bytes: Uint8Array, id: string): ContainerRecord | undefined {
  try {
    const record = decodeRecord(containerType, bytes, id);
    return record.id === id ? record : undefined;
  } catch (error) {
    if (error instanceof RtError) return undefined;
    throw error;
  }
}

/** The record of a container where it can be read. */
export function recordOf(container: Container): ContainerRecord | undefined {
  try {
    return container.record;
  } catch (error) {
    if (error instanceof RtError) return undefined;
    throw error;
  }
}
