import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";

/**
 * <state>/events/1.jsonl, 2.jsonl, …: what has happened, in Docker's shape, a line each. Any process appends to the newest,
 * with one write(2), and no file is ever renamed: so whoever follows them reads on where it was, and misses and repeats
 * nothing when the next one begins.
 */
export function directoryOf(state: string): string {
  return join(state, "events");
}

export function fileOf(state: string, number: number): string {
  return join(directoryOf(state), `${number}.jsonl`);
}

/** Oldest first; none where nothing has happened yet. */
export function numbersIn(state: string): number[] {
  try {
    const matches = readdirSync(directoryOf(state)).map((name) => /^([1-9]\d{0,14})\.jsonl$/.exec(name));
    return matches.flatMap((match) => (match ? [Number(match[1])] : [])).sort((a, b) => a - b);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
