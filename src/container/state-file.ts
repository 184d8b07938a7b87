import { closeSync, constants, openSync, readSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";

/** The small files of a container's state directory. What is there may be damaged, but is read in bounded time and memory. */

const bytesMax = 64 << 10;
/** A record has a thousand labels and arguments where people are fond of those. */
const recordBytesMax = 16 << 20;

/** Undefined when there is no such file; empty when something is there that cannot be read as one. */
export function readStateFile(path: string, limit = bytesMax): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR") ? undefined : Buffer.alloc(0);
  }
  try {
    return readUpTo(fd, limit);
  } catch {
    return Buffer.alloc(0); // a directory, a broken disk
  } finally {
    closeSync(fd);
  }
}

function readUpTo(fd: number, limit: number): Buffer {
  let buffer = Buffer.allocUnsafe(1024);
  for (let length = 0; ; ) {
    const read = readSync(fd, buffer, length, buffer.length - length, null);
    length += read;
    if (read === 0) return buffer.subarray(0, length);
    if (length > limit) return Buffer.alloc(0);
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(length)]);
  }
}

/**
 * The record once more, as long as the container is looked after: what runs can be listed, entered and killed whatever
 * happens to the database.
 */
export function writeRecordCopy(directory: string, record: Uint8Array): void {
  writeFileSync(join(directory, "record"), record, { mode: 0o600 });
}

/** The same where there is a copy already: readers see the one or the other. Without a directory there is nothing to do. */
export function replaceRecordCopy(directory: string, record: Uint8Array): void {
  const draft = join(directory, "record.new");
  try {
    writeFileSync(draft, record, { mode: 0o600 });
    renameSync(draft, join(directory, "record"));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

export function readRecordCopy(directory: string): Uint8Array | undefined {
  return readStateFile(join(directory, "record"), recordBytesMax);
}
