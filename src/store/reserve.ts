import { closeSync, fstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { asSystemError, isErrno, RtError } from "../base/errors.ts";

/** The transactions that remove an image of many layers, with what SQLite's log adds to each. */
const reserveBytes = 256 * 1024;

/**
 * <root>/reserve holds nothing: it is room on a full disk for the transactions that remove something, so that rt can always
 * make more. As large as there is room for; bytes that do not compress, so that they take what they seem to take. No command
 * fails for want of it.
 */
export function keepReserve(root: string): void {
  try {
    const fd = openSync(path(root), "a", 0o600);
    try {
      const missing = reserveBytes - fstatSync(fd).size;
      if (missing > 0) fill(fd, missing);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!asSystemError(error)) throw error;
  }
}

function fill(fd: number, bytes: number): void {
  for (let left = bytes; left > 0; ) {
    const chunk = crypto.getRandomValues(new Uint8Array(Math.min(left, 65_536)));
    left -= writeSync(fd, chunk);
  }
}

/** `remove`, and on a full disk once more with the reserve given up: it must be able to begin anew. What it has freed fills that. */
export async function withReserve<T>(root: string, remove: () => T | Promise<T>): Promise<T> {
  const result = await removeWith(root, remove);
  keepReserve(root);
  return result;
}

async function removeWith<T>(root: string, remove: () => T | Promise<T>): Promise<T> {
  try {
    return await remove();
  } catch (error) {
    if (!(error instanceof RtError) || error.code !== "exhausted" || !giveUp(root)) throw error;
    return await remove();
  }
}

/** False when there is none. */
function giveUp(root: string): boolean {
  try {
    unlinkSync(path(root));
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function path(root: string): string {
  return join(root, "reserve");
}
