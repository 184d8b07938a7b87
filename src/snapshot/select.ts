import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { removeUnsyncedOfLastBoot } from "./boot.ts";
import { copy } from "./copy.ts";
import { overlay } from "./overlay.ts";
import type { SnapshotCandidate, SnapshotDriver } from "./snapshot.ts";

/** The best first; the last is available everywhere. */
export const candidates: readonly SnapshotCandidate[] = [overlay, copy];
export const driverNames = candidates.map(({ name }) => name);

/**
 * The storage driver of the data directory `root` (snapshots are in <root>/snapshots/<driver>): the one called `asked`,
 * or the first that is available. What was found is kept in <root>/snapshots/driver; remove that file to look again.
 * @throws invalid-argument: no such driver
 */
export async function selectDriver(root: string, asked?: string): Promise<SnapshotDriver> {
  const snapshots = join(root, "snapshots");
  const candidate = asked ? candidateCalled(asked) : await firstAvailable(snapshots);
  await removeUnsyncedOfLastBoot(snapshots, driverNames);
  return candidate.open(join(snapshots, candidate.name));
}

/** @throws invalid-argument: no such driver */
export function candidateCalled(asked: string): SnapshotCandidate {
  const candidate = candidates.find(({ name }) => name === asked);
  if (candidate) return candidate;
  throw new RtError(
    "invalid-argument",
    `unknown storage driver ${JSON.stringify(asked)}: there are ${driverNames.join(" and ")}`,
  );
}

async function firstAvailable(snapshots: string): Promise<SnapshotCandidate> {
  const file = join(snapshots, "driver");
  try {
    return candidateCalled(readFileSync(file, "utf8").trim());
  } catch (error) {
    const useless = isErrno(error, "ENOENT") || error instanceof RtError;
    if (!useless) throw error;
  }
  mkdirSync(snapshots, { recursive: true, mode: 0o700 });
  const found = await best(snapshots);
  // Whole or not at all: others may be reading.
  writeFileSync(`${file}.${process.pid}`, `${found.name}\n`, { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
  return found;
}

async function best(snapshots: string): Promise<SnapshotCandidate> {
  for (const candidate of candidates) if (await candidate.available(snapshots)) return candidate;
  throw new RtError("unsupported", `no storage driver works in ${snapshots}`);
}
