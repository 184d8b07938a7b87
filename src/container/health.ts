import { closeSync, existsSync, mkdirSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asSystemError } from "../base/errors.ts";
import { readStateFile } from "./state-file.ts";

/**
 * What a monitor writes of its container's health checks (zig-native/monitor/health.zig), as Docker's document has it: the file
 * `health` of the state directory, and of the container's own once it is over.
 */

/** Five outputs of 4 KiB, each byte an escape of six. */
const bytesMax = 256 << 10;

/** Undefined where there is none. */
export function readHealth(directory: string): string | undefined {
  const path = join(directory, "health");
  return existsSync(path) ? readStateFile(path, bytesMax)?.toString() : undefined;
}

/** Its `Status`, for lists: no more is read than that. Undefined where there is none, or none that can be read. */
export function readHealthStatus(directory: string): string | undefined {
  const path = join(directory, "health");
  let file: number;
  try {
    // Most have none, and a failed open is an exception, which is dear where many run.
    if (!existsSync(path)) return undefined;
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const head = Buffer.alloc(64);
    const text = head.toString("latin1", 0, readSync(file, head, 0, head.length, 0));
    return /^\{"Status":"([a-z]{1,16})"/.exec(text)?.[1];
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

/** The state directory goes: what was found last stays with the container's log. */
export function keepHealth(state: string, files: string): void {
  const text = readHealth(state);
  if (!text) return;
  try {
    mkdirSync(files, { recursive: true, mode: 0o700 });
    writeFileSync(join(files, "health"), text, { mode: 0o600 });
  } catch (error) {
    // The disk is full, and the container is over all the same.
    if (!asSystemError(error)) throw error;
  }
}
