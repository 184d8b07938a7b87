/** What was found of each engine, as it stands in the repository. */
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import type { Facts } from "./facts.ts";

export interface Recorded {
  /** "6.18": the calls of a later one are more. */
  kernel: string;
  engines: Record<string, Facts & { version: string }>;
}

const file = join(import.meta.dir, "recorded.json");

export function kernelRelease(): string {
  return release().split(".").slice(0, 2).join(".");
}

export function readRecorded(): Recorded {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** One list a line, so that a change of it can be read. */
export function writeRecorded(recorded: Recorded): void {
  const text = JSON.stringify(recorded, null, 1).replace(
    /\[\s+("[^\]]*")\s+\]/g,
    (_, list: string) => `[${list.replace(/\s*\n\s*/g, " ")}]`,
  );
  writeFileSync(file, `${text}\n`);
}
