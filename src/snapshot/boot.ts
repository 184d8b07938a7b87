import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { holdsWithin } from "../base/wait.ts";
import { runHelper } from "../layer/helper.ts";
import { flock } from "../native/system.ts";
import { parseDigest } from "../oci/digest.ts";
import { SnapshotDirectory } from "./directory.ts";

/**
 * What a crash of the machine can do to a committed snapshot.
 *
 * rename(2) orders nothing but names: after a power failure a committed tree may be there whose files are empty, because
 * their data was not on the disk yet. An fsync for each of 50,000 files costs minutes, a syncfs everything else that
 * anybody wrote on that file system. So a commit waits for nothing, and is believed until the machine goes down:
 *
 *   <snapshots>/boot                      id of the boot in which we last looked (/proc/sys/kernel/random/boot_id)
 *   <driver>/committed/<hex>/durable      this tree is on the disk: made after a syncfs that began later than its commit
 *
 * In the first command after a boot, snapshots without the mark are removed: the blobs are still here (content/ does
 * fsync), and the next run unpacks them again in a second. `syncCommitted` makes the marks, when time does not matter.
 * A crash of our processes, kill -9 included, takes nothing from the page cache and needs none of this.
 */
export async function removeUnsyncedOfLastBoot(snapshots: string, drivers: readonly string[]): Promise<void> {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
  const file = join(snapshots, "boot");
  if (read(file) === boot) return;
  mkdirSync(snapshots, { recursive: true, mode: 0o700 });
  const fd = openSync(file, "a", 0o600);
  try {
    await holdsWithin(Number.POSITIVE_INFINITY, () => flock(fd, "exclusive", false));
    if (read(file) === boot) return; // another process did it while we waited
    for (const driver of drivers) await removeUnsynced(new SnapshotDirectory(join(snapshots, driver)));
    writeFileSync(file, boot);
  } finally {
    closeSync(fd);
  }
}

async function removeUnsynced(directory: SnapshotDirectory): Promise<void> {
  let committed: string[];
  try {
    committed = readdirSync(directory.committed);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  for (const hex of committed) {
    if (!existsSync(join(directory.committed, hex, "durable")))
      await directory.removeCommitted(parseDigest(`sha256:${hex}`));
  }
  await directory.removeAbandoned();
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Write what is committed to the disk, and mark it. Takes as long as the disk does; never on the way of a command. */
export async function syncCommitted(directory: SnapshotDirectory): Promise<void> {
  directory.ensure();
  await runHelper("settle", { committed: directory.committed });
}
