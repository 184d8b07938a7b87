import { Database as Sqlite } from "bun:sqlite";
import { closeSync, existsSync, linkSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { privateDirectory } from "./directory.ts";
import { migrations, schemaVersion } from "./schema.ts";
import { sqliteCode, storeError } from "./sqlite-error.ts";

export type Value = string | number | Uint8Array | null;

/** How long a command waits for others' transactions, which take milliseconds, before it gives up. */
const busyTimeout_ms = 30_000;

/**
 * <root>/db.sqlite: what is desired and related. One connection, synchronous, cheap to open (below a millisecond when
 * the file exists).
 *
 * Any number of processes may use it at once, the very first one included: a new database is made completely under
 * another name and appears by link(2), so nobody ever sees one without its tables, and a crash in between leaves only a
 * stray `db.sqlite.new-*` (removed by collection).
 *
 * WAL with synchronous=NORMAL: a commit costs no fsync. After a power failure the last transactions may be missing, but
 * never half there, and never there without the files they speak of (those are synced before the commit).
 */
export class Database implements Disposable {
  readonly path: string;
  readonly #sqlite: Sqlite;
  #inTransaction = false;

  private constructor(path: string, sqlite: Sqlite) {
    this.path = path;
    this.#sqlite = sqlite;
  }

  /** @throws RtError forbidden | exhausted | data-loss | unsupported (made by a newer rt), naming the file */
  static open(root: string): Database {
    const path = join(root, "db.sqlite");
    // What cannot be opened for writing SQLite opens for reading: one that appears between these two would stay read-only.
    if (!existsSync(path)) create(root, path);
    const sqlite = named(path, () => connect(path));
    const database = new Database(path, sqlite);
    try {
      named(path, () => database.#configure());
    } catch (error) {
      sqlite.close();
      throw error;
    }
    return database;
  }

  #configure(): void {
    const user_version = versionOf(this.#sqlite);
    if (user_version === schemaVersion) return;
    if (user_version > schemaVersion) {
      throw new RtError(
        "unsupported",
        `${this.path} was made by a newer rt (schema ${user_version}, this one knows ${schemaVersion}): use that one, or another --root`,
      );
    }
    this.transaction(() => migrate(this.#sqlite));
    this.#sqlite.exec("PRAGMA journal_mode = WAL");
  }

  /**
   * `fn` in one transaction that has the write lock from its start (BEGIN IMMEDIATE), so what it reads cannot change
   * before it writes. Synchronous by design: a transaction never waits for the world. Thrown errors roll back.
   */
  transaction<T>(fn: () => T): T {
    if (this.#inTransaction) throw new RtError("internal", "transactions do not nest");
    this.#begin();
    this.#inTransaction = true;
    try {
      const result = fn();
      this.#sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      // SQLite may have rolled back by itself (disk full): then there is nothing left to roll back.
      if (this.#sqlite.inTransaction) this.#sqlite.exec("ROLLBACK");
      throw error instanceof RtError || !sqliteCode(error) ? error : storeError(error, this.path);
    } finally {
      this.#inTransaction = false;
    }
  }

  /** In the transaction that is going on, or else in one of its own. */
  within<T>(fn: () => T): T {
    return this.#inTransaction ? fn() : this.transaction(fn);
  }

  #begin(): void {
    const deadline = performance.now() + busyTimeout_ms;
    for (;;) {
      try {
        this.#sqlite.exec("BEGIN IMMEDIATE");
        return;
      } catch (error) {
        // The busy handler is not asked in every case (recovery of a dead writer's log, for one).
        if (sqliteCode(error) !== "SQLITE_BUSY" || performance.now() > deadline)
          throw storeError(error, this.path);
        Bun.sleepSync(1);
      }
    }
  }

  /** The first row, or undefined. The caller names the row's shape as its SELECT gives it. */
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.#guard(() => (this.#sqlite.query(sql).get(...values) as Row | null) ?? undefined);
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#guard(() => this.#sqlite.query(sql).all(...values) as Row[]);
  }

  /** The number of rows changed. A constraint violation passes as SQLite's own error: its caller knows the words. */
  run(sql: string, ...values: Value[]): number {
    return this.#guard(() => this.#sqlite.query(sql).run(...values).changes);
  }

  /** What is wrong with the file itself, in SQLite's words. Reads all of it. */
  problems(): string[] {
    const rows = this.all<{ integrity_check: string }>("PRAGMA integrity_check");
    return rows.map(({ integrity_check }) => integrity_check).filter((text) => text !== "ok");
  }

  #guard<T>(fn: () => T): T {
    try {
      return fn();
    } catch (error) {
      if (sqliteCode(error) === "SQLITE_CONSTRAINT") throw error;
      throw storeError(error, this.path);
    }
  }

  close(): void {
    this.#sqlite.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function versionOf(sqlite: Sqlite): number {
  // `query`, not `prepare`: a statement that nobody finalizes would keep the file open after `close`.
  return (sqlite.query("PRAGMA user_version").get() as { user_version: number }).user_version;
}

function connect(path: string): Sqlite {
  const sqlite = new Sqlite(path, { readwrite: true, create: false, strict: true });
  try {
    // The log is folded into the file every 100 pages: the next opener of a log whose writer died re-reads all of it.
    sqlite.exec(
      `PRAGMA busy_timeout = ${busyTimeout_ms}; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
       PRAGMA wal_autocheckpoint = 100`,
    );
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return sqlite;
}

function named<T>(path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw storeError(error, path);
  }
}

/** Make a complete database aside and publish it; losing the race to another process is fine. */
function create(root: string, path: string): void {
  privateDirectory(root);
  refuseForeignLog(path);
  const draft = `${path}.new-${crypto.randomUUID()}`;
  try {
    closeSync(openSync(draft, "wx", 0o600));
  } catch (error) {
    throw withCause(`cannot create ${path}`, error);
  }
  try {
    fill(draft);
    linkSync(draft, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST"))
      throw sqliteCode(error) ? storeError(error, path) : withCause(`cannot create ${path}`, error);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(draft + suffix, { force: true });
  }
}

/**
 * A log whose database somebody has taken away would be folded into the new one, which it does not belong to. In this order:
 * a log is made after its database, so one that another process is making now has its database already.
 */
function refuseForeignLog(path: string): void {
  const log = `${path}-wal`;
  if (!existsSync(log) || statSync(log).size === 0 || existsSync(path)) return;
  const text = `cannot use ${path}: it is gone, but its log is here; put it back, or move ${log} away too to start afresh`;
  throw new RtError("data-loss", text);
}

function fill(path: string): void {
  const sqlite = connect(path);
  try {
    sqlite.exec("BEGIN IMMEDIATE");
    migrate(sqlite);
    sqlite.exec("COMMIT; PRAGMA journal_mode = WAL");
  } finally {
    // `true`: throw if it cannot be closed now; a file with an open connection must not be published.
    sqlite.close(true);
  }
}

function migrate(sqlite: Sqlite): void {
  for (const { sql, fill } of migrations.slice(versionOf(sqlite))) {
    sqlite.exec(sql);
    fill?.(sqlite);
  }
  sqlite.exec(`PRAGMA user_version = ${schemaVersion}`);
}
