import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { runHelper } from "../layer/helper.ts";
import { removeUnsyncedOfLastBoot } from "./boot.ts";
import { CopyDriver } from "./copy.ts";
import { OverlayDriver } from "./overlay.ts";
import type { SnapshotDriver } from "./snapshot.ts";

export const driverNames = ["overlay", "copy"] as const;
type Name = (typeof driverNames)[number];

/**
 * The storage driver of the data directory `root` (snapshots are in <root>/snapshots/<driver>): the one called `asked`,
 * or overlay where that works, else copy. What the probe found is kept in <root>/snapshots/driver; remove that file to
 * probe again.
 * @throws invalid-argument: no such driver
 */
export async function selectDriver(root: string, asked?: string): Promise<SnapshotDriver> {
  const snapshots = join(root, "snapshots");
  const name = asked === undefined || asked === "" ? await probed(snapshots) : parseDriverName(asked);
  await removeUnsyncedOfLastBoot(snapshots, driverNames);
  const directory = join(snapshots, name);
  return name === "overlay" ? new OverlayDriver(directory) : new CopyDriver(directory);
}

/** @throws invalid-argument: no such driver */
export function parseDriverName(asked: string): Name {
  const name = driverNames.find((known) => known === asked);
  if (name) return name;
  throw new RtError(
    "invalid-argument",
    `unknown storage driver ${JSON.stringify(asked)}: there are ${driverNames.join(" and ")}`,
  );
}

async function probed(snapshots: string): Promise<Name> {
  const file = join(snapshots, "driver");
  try {
    return parseDriverName(readFileSync(file, "utf8").trim());
  } catch (error) {
    const useless = isErrno(error, "ENOENT") || error instanceof RtError;
    if (!useless) throw error;
  }
  mkdirSync(snapshots, { recursive: true, mode: 0o700 });
  const { works } = await runHelper("probe-overlay", { directory: snapshots });
  const name = works === true ? "overlay" : "copy";
  // Whole or not at all: others may be reading.
  writeFileSync(`${file}.${process.pid}`, `${name}\n`, { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
  return name;
}
