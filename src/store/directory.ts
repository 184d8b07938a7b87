import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isErrno, withCause } from "../base/errors.ts";

/**
 * Make `path` a directory that only its owner may enter (0700). Parents that are missing are made 0755, as the system's
 * own would be: rt on a minimal image must not be the one that closes /var to everybody else.
 * @throws RtError forbidden | exhausted | not-found, naming the path
 */
export function privateDirectory(path: string): void {
  try {
    makeOne(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw withCause(`cannot create directory ${path}`, error);
    makeParents(path);
    try {
      makeOne(path);
    } catch (error) {
      // Beneath a parent that is there it still is "no such file": what /proc says to a new name.
      throw withCause(`cannot create directory ${path}`, error);
    }
  }
}

function makeOne(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST") || !isDirectory(path)) throw error;
  }
}

function makeParents(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw withCause(`cannot create directory ${dirname(path)}`, error);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * With its parents, and 0755 from the start whatever our umask: a mode that is given later could be given to a link that a
 * container put there meanwhile, or take back what another start has just given.
 */
export function publicDirectory(path: string): void {
  const umask = process.umask(0);
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } finally {
    process.umask(umask);
  }
}
