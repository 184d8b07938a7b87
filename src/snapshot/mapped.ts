import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { runHelper } from "../layer/helper.ts";

/**
 * Can layers in `directory` be seen through the maps of a user namespace? It depends on the kernel (5.19, and later for many a file
 * system), on the file system, and on whose it is. The answer is kept in <directory>/mapped and is good until the kernel or the
 * file system is another.
 */
export async function mapsLayersIn(directory: string): Promise<boolean> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const here = placeOf(directory);
  const file = join(directory, "mapped");
  const known = read(file);
  for (const works of [true, false]) if (known === mappedLine(here, works)) return works;
  const { works } = await runHelper("probe-mapped", { directory });
  rememberMapped(directory, works === true);
  return works === true;
}

/** As if it had been looked at: for who wants to see the other way at work, too. */
export function rememberMapped(directory: string, works: boolean): void {
  const file = join(directory, "mapped");
  // Whole or not at all: others may be reading.
  writeFileSync(`${file}.${process.pid}`, mappedLine(placeOf(directory), works), { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
}

function mappedLine(here: string, works: boolean): string {
  return `${here} ${works ? "yes" : "no"}\n`;
}

function placeOf(directory: string): string {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return `${boot} ${release()} ${statSync(directory).dev}`;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
