import { RtError } from "../base/errors.ts";
import { decodeRecord, encodeRecord } from "../store/codec.ts";
import type { Database } from "../store/database.ts";
import { isUniqueViolation } from "../store/sqlite-error.ts";
import { containerType } from "./container-type.ts";
import type { ContainerRecord } from "./record.ts";
import type { ExitFacts } from "./state.ts";

export interface Container {
  record: ContainerRecord;
  /** Once somebody has seen the exit and written it down. */
  exit: ExitFacts | undefined;
}

interface Row {
  id: string;
  name: string;
  record: Uint8Array;
  exit_code: number | null;
  started_at: string | null;
  finished_at: string | null;
  error: string | null;
}

const columns = "id, name, record, exit_code, started_at, finished_at, error";
const idPattern = /^[0-9a-f]{64}$/;

/** Containers as they are wanted, and their exits. What they are doing now is state.ts's to say. */
export class ContainerStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Write the record. With `rename` (for names that nobody chose) a name that is taken is replaced by another, asked for with
   * 1, 2, … Answers the record as it was written.
   * @throws RtError conflict: the name is taken (in Docker's words); not-found: the image was removed meanwhile. The image
   *   is looked at in the same transaction, so from here on its layers cannot be collected.
   */
  create(wanted: ContainerRecord, rename?: (attempt: number) => string): ContainerRecord {
    const db = this.#database;
    return db.transaction(() => {
      if (!db.get("SELECT 1 FROM images WHERE id = ?", wanted.image.id)) {
        throw new RtError("not-found", `No such image: ${wanted.image.reference || wanted.image.id}`);
      }
      let record = wanted;
      for (let attempt = 1; rename && this.#holderOf(record.name) !== undefined; attempt++) {
        record = { ...wanted, name: rename(attempt) };
      }
      this.#insert(record);
      return record;
    });
  }

  #insert(record: ContainerRecord): void {
    try {
      this.#database.run(
        "INSERT INTO containers (id, name, image, created, record) VALUES (?, ?, ?, ?, ?)",
        record.id,
        record.name,
        record.image.id,
        record.created,
        encodeRecord(containerType, record),
      );
    } catch (error) {
      throw isUniqueViolation(error) ? this.#taken(record, error) : error;
    }
  }

  #holderOf(name: string): string | undefined {
    return this.#database.get<{ id: string }>("SELECT id FROM containers WHERE name = ?", name)?.id;
  }

  #taken(record: ContainerRecord, cause: unknown): RtError {
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
    if (!found) throw new RtError("not-found", `No such container: ${text}`, { exitCode: 1 });
    return found;
  }

  find(text: string): Container | undefined {
    const row = this.#row(text);
    return row && decode(row);
  }

  /** The ID alone, also of a container whose record is damaged, so that it can be removed. */
  idOf(text: string): string | undefined {
    return this.#row(text)?.id;
  }

  #row(text: string): Row | undefined {
    const db = this.#database;
    if (idPattern.test(text)) return db.get<Row>(`SELECT ${columns} FROM containers WHERE id = ?`, text);
    const name = text.startsWith("/") ? text.slice(1) : text;
    const byName = db.get<Row>(`SELECT ${columns} FROM containers WHERE name = ?`, name);
    if (byName || !/^[0-9a-f]{1,63}$/.test(text)) return byName;
    const sql = `SELECT ${columns} FROM containers WHERE id >= ? AND id < ? ORDER BY id LIMIT 2`;
    const rows = db.all<Row>(sql, text, `${text}g`);
    if (rows.length <= 1) return rows[0];
    throw new RtError("invalid-argument", `multiple IDs found with provided prefix: ${text}`);
  }

  /**
   * Newest first. One whose record is damaged is left out where somebody is told of it, so that it does not stand in the
   * way of all others. @throws RtError data-loss where nobody is
   */
  list(damaged?: (error: RtError) => void): Container[] {
    const rows = this.#database.all<Row>(`SELECT ${columns} FROM containers ORDER BY created DESC, id`);
    return rows.flatMap((row) => {
      try {
        return [decode(row)];
      } catch (error) {
        if (!damaged || !(error instanceof RtError)) throw error;
        damaged(error);
        return [];
      }
    });
  }

  /** Every ID, newest first, whether or not its record can be read. */
  ids(): string[] {
    const rows = this.#database.all<{ id: string }>("SELECT id FROM containers ORDER BY created DESC, id");
    return rows.map((row) => row.id);
  }

  /** The exit is written once, by whoever sees it first; later observers change nothing. Answers whether it was us. */
  recordExit(id: string, facts: ExitFacts): boolean {
    const changes = this.#database.run(
      "UPDATE containers SET exit_code = ?, started_at = ?, finished_at = ?, error = ? WHERE id = ? AND exit_code IS NULL",
      facts.exitCode,
      facts.startedAt,
      facts.finishedAt,
      facts.error,
      id,
    );
    return changes > 0;
  }

  /** It is about to be started again: its last exit is history. */
  clearExit(id: string): void {
    const sql =
      "UPDATE containers SET exit_code = NULL, started_at = NULL, finished_at = NULL, error = NULL WHERE id = ?";
    this.#database.run(sql, id);
  }

  /** False when it was gone already. */
  remove(id: string): boolean {
    return this.#database.run("DELETE FROM containers WHERE id = ?", id) > 0;
  }
}

function decode(row: Row): Container {
  const record = decodeRecord(containerType, row.record, row.name);
  if (row.exit_code === null) return { record, exit: undefined };
  const exit = {
    exitCode: row.exit_code,
    startedAt: row.started_at ?? "",
    finishedAt: row.finished_at ?? "",
    error: row.error ?? "",
  };
  return { record, exit };
}
