import { renameSync, writeFileSync } from "node:fs";
import { readStateFile } from "./state-file.ts";

/** What a monitor leaves for rt, which starts the program again: in the file `restarting` of the state directory. */
export interface Restarting {
  /** This start's number among those of the policy. */
  count: number;
  /** How long after the end, in milliseconds. */
  delay_ms: number;
}

/** Undefined where there is none. */
export function readRestarting(directory: string): Restarting | undefined {
  const text = readStateFile(`${directory}/restarting`)?.toString();
  if (text === undefined) return undefined;
  const field = (name: string) => Number(new RegExp(`^${name} (\\d{1,9})$`, "m").exec(text)?.[1] ?? 1);
  return { count: field("count"), delay_ms: field("delay") };
}

/** It could not be started again: that is how it ended. */
export function writeFailedRestart(directory: string, error: Error & { exitCode?: number }): void {
  const line = error.message.replace(/\s+/g, " ");
  const finished = BigInt(Date.now()) * 1_000_000n;
  writeFileSync(
    `${directory}/exit.new`,
    `code ${error.exitCode ?? 125}\nfinished ${finished}\nerror ${line}\n`,
  );
  renameSync(`${directory}/exit.new`, `${directory}/exit`);
}
