/**
 * Where tests put what they throw away, and where fixtures are kept.
 * Scratch is a tmpfs where there is one with room: creates and deletes on a disk would be most of a test's time.
 */

import { Database } from "bun:sqlite";
import { mkdirSync, statfsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const tmpfsMagic = 0x01021994;
const roomNeededBytes = 2 * 1024 ** 3;

export function scratchDirectory(): string {
  const override = process.env.RT_TEST_SCRATCH;
  if (override) return override;
  try {
    const fs = statfsSync("/dev/shm");
    if (fs.type === tmpfsMagic && fs.bavail * fs.bsize > roomNeededBytes) return "/dev/shm";
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
  return tmpdir();
}

/** Where fixtures are kept from run to run. */
export function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "rt-test");
}

const made = new Map<string, Promise<string>>();

/**
 * A directory that `make` fills once for each `name` and `key`, shared by every test process and kept between runs.
 * Made under a temporary name and renamed, with a lock, so that a crash or a second process never shows half of it.
 */
export function fixture(name: string, key: string, make: (dir: string) => Promise<void>): Promise<string> {
  const hex = new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, 16);
  const dir = join(cacheDirectory(), `${name}-${hex}`);
  let promise = made.get(dir);
  if (promise === undefined) {
    promise = makeOnce(dir, make);
    made.set(dir, promise);
  }
  return promise;
}

async function makeOnce(dir: string, make: (dir: string) => Promise<void>): Promise<string> {
  if (await isMade(dir)) return dir;
  mkdirSync(cacheDirectory(), { recursive: true });
  // A transaction is a lock that the kernel releases if we die.
  using lock = new Database(`${dir}.lock`);
  lock.run("PRAGMA busy_timeout = 600000");
  lock.run("BEGIN EXCLUSIVE");
  if (await isMade(dir)) return dir;
  const temporary = `${dir}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  mkdirSync(temporary);
  await make(temporary);
  await Bun.write(join(temporary, ".complete"), "");
  await rm(dir, { recursive: true, force: true });
  await rename(temporary, dir);
  return dir;
}

function isMade(dir: string): Promise<boolean> {
  return Bun.file(join(dir, ".complete")).exists();
}
