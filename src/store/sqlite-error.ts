import { SQLiteError } from "bun:sqlite";
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, RtError, withCause } from "../base/errors.ts";

/** SQLite's primary result code of `error` ("SQLITE_BUSY" for SQLITE_BUSY_SNAPSHOT too), or undefined. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof SQLiteError)) return undefined;
  return names[error.errno & 0xff] ?? "SQLITE_ERROR";
}

/** A unique or primary key constraint: somebody else has that name already. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof SQLiteError && (error.errno === 2067 || error.errno === 1555);
}

/** What is referred to is gone: somebody else has removed it since it was looked at. */
export function isForeignKeyViolation(error: unknown): boolean {
  if (error instanceof RtError) return isForeignKeyViolation(error.cause);
  return error instanceof SQLiteError && error.errno === 787;
}

const names: Readonly<Record<number, string>> = {
  5: "SQLITE_BUSY",
  6: "SQLITE_LOCKED",
  3: "SQLITE_PERM",
  7: "SQLITE_NOMEM",
  8: "SQLITE_READONLY",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  19: "SQLITE_CONSTRAINT",
  26: "SQLITE_NOTADB",
};

const advice: Readonly<Record<string, { code: ErrorCode; text: string }>> = {
  SQLITE_BUSY: { code: "unavailable", text: "other rt commands kept it locked; try again" },
  SQLITE_LOCKED: { code: "unavailable", text: "other rt commands kept it locked; try again" },
  SQLITE_PERM: { code: "forbidden", text: "permission denied" },
  SQLITE_NOMEM: { code: "exhausted", text: "out of memory" },
  SQLITE_READONLY: {
    code: "forbidden",
    text: "it is read-only for this user or on this file system; see --root",
  },
  SQLITE_IOERR: { code: "unavailable", text: "the disk reported an input/output error" },
  SQLITE_CORRUPT: {
    code: "data-loss",
    text: "the file is damaged; move it (and its -wal and -shm) away to start afresh: images must then be pulled again",
  },
  SQLITE_NOTADB: {
    code: "data-loss",
    text: "the file is not a database; move it (and its -wal and -shm) away to start afresh: images must then be pulled again",
  },
  SQLITE_FULL: { code: "exhausted", text: "no space left on the device; free some and try again" },
  SQLITE_CANTOPEN: {
    code: "forbidden",
    text: "it cannot be opened: check the directory's owner, or choose another --root",
  },
};

/** `error` of SQLite as one line about the database `path`; an RtError passes; anything else is an internal error. */
export function storeError(error: unknown, path: string): RtError {
  if (error instanceof RtError) return error;
  const code = sqliteCode(error) ?? "";
  const known = advice[code === "SQLITE_IOERR" && hasNoRoom(path) ? "SQLITE_FULL" : code];
  if (known) return new RtError(known.code, `cannot use ${path}: ${known.text}`, { cause: error });
  return withCause(`cannot use ${path}`, error);
}

/** What SQLite takes at once for what it shares with others. That there is no room for it SQLite calls an error of the disk. */
const room_bytes = 64 << 10;

function hasNoRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < room_bytes;
  } catch {
    return false; // it is the disk, then
  }
}
