/**
 * A fresh ext4 in a file on the scratch tmpfs, mounted for one shell: stores lie on what they lie on in practice,
 * and no round pays for the deletes of the one before. The mount and its loop device end with the shell's namespace.
 */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { until } from "../support/wait.ts";
import type { Shell } from "./shell.ts";

const sizeBytes = 4 * 1024 ** 3;

export interface Disk extends AsyncDisposable {
  /** Where it is mounted, as the shell sees it. */
  readonly dir: string;
  /** Inodes and bytes in use, which show that a pull did unpack. */
  usage(): Promise<{ inodes: number; bytes: number }>;
}

export async function freshDisk(shell: Shell, scratch: string, name: string): Promise<Disk> {
  const file = join(scratch, `${name}.ext4`);
  const mountPoint = join(scratch, name);
  mkdirSync(mountPoint, { recursive: true });
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
  // Everything is written now: a lazy initialization would go on in the background of what is timed.
  await run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file]);
  const dir = shell.inside(mountPoint);
  await shell.ok(`mount -o loop ${shell.inside(file)} ${dir}`);
  return {
    dir,
    async usage() {
      const words = (await shell.ok(`df --output=iused,used -B1 ${dir}`))
        .split("\n")
        .at(-1)
        ?.trim()
        .split(/\s+/);
      return { inodes: Number(words?.[0]), bytes: Number(words?.[1]) };
    },
    async [Symbol.asyncDispose]() {
      // A daemon's helpers may outlive it for a moment.
      await until(`${dir} is nobody's`, async () => (await shell.time(`umount ${dir}`)).status === 0, 60_000);
      rmSync(file);
    },
  };
}
