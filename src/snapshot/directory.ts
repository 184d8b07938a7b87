import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { removeTree } from "../layer/tree.ts";
import { flock, mount, unmount } from "../native/system.ts";
import { type Digest, hexOf, parseDigest } from "../oci/digest.ts";

/**
 * A driver's directory, whatever the driver:
 *
 *   <root>/committed/<hex>/…     the layers up to chainID <hex>; immutable
 *   <root>/active/<key>/…        a container's
 *   <root>/tmp/<name>/…          being made, or being removed; flock(2)ed by whoever is at work on it
 *
 * Things appear in committed/ and leave it by rename(2), so it never shows half of anything. All directories are 0700:
 * a setuid file of a layer is out of everybody's reach.
 *
 * A store in memory (engine/machine/configure.ts) has no other way to tell containers apart than a file system for each: its file
 * `active-size` says how many bytes one may write before its disk is full.
 */
export class SnapshotDirectory {
  readonly root: string;
  readonly committed: string;
  readonly active: string;
  readonly tmp: string;

  constructor(root: string) {
    this.root = root;
    this.committed = join(root, "committed");
    this.active = join(root, "active");
    this.tmp = join(root, "tmp");
  }

  ensure(): void {
    for (const path of [this.committed, this.active, this.tmp])
      mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  /** A new active/<key>, empty. @throws conflict */
  makeActive(key: string): string {
    const path = join(this.active, key);
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if (isErrno(error, "EEXIST")) throw new RtError("conflict", `the snapshot ${key} exists already`);
      if (!isErrno(error, "ENOENT")) throw error;
      this.ensure();
      mkdirSync(path, { mode: 0o700 });
    }
    const bytes = this.#activeSize();
    if (bytes !== undefined) mount("tmpfs", path, "tmpfs", MS_NODEV, `mode=700,size=${bytes}`);
    return path;
  }

  async removeActive(key: string): Promise<void> {
    const path = join(this.active, key);
    if (this.#activeSize() !== undefined && isMountPoint(path)) unmount(path);
    await removeTree(path);
  }

  /** Undefined on a disk. */
  #activeSize(): string | undefined {
    try {
      return readFileSync(join(this.root, "../..", activeSizeFile), "latin1");
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async removeCommitted(chain: Digest): Promise<void> {
    const doomed = join(this.tmp, `removed-${hexOf(chain)}-${randomName()}`);
    try {
      renameSync(join(this.committed, hexOf(chain)), doomed);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return;
      throw error;
    }
    await removeTree(doomed);
  }

  /**
   * Make room for a layer whose tree somebody has taken away, the directory around it left: nothing could be committed
   * there. rmdir(2) takes nothing but an empty one, whatever others do meanwhile.
   */
  removeHollow(chain: Digest): void {
    try {
      rmdirSync(join(this.committed, hexOf(chain)));
    } catch (error) {
      if (!isErrno(error, "ENOENT") && !isErrno(error, "ENOTEMPTY")) throw error;
    }
  }

  list(): { active: string[]; committed: Digest[] } {
    return {
      active: names(this.active),
      committed: names(this.committed).map((hex) => parseDigest(`sha256:${hex}`)),
    };
  }

  /**
   * Remove what dead processes left in tmp/: the kernel released their locks. Who makes a directory there holds tmp/ itself
   * shared until its own lock is taken (zig-native/layer/place.zig), so nothing is taken for dead that is being born.
   */
  async removeAbandoned(): Promise<void> {
    if (names(this.tmp).length === 0) return;
    const tmp = openSync(this.tmp, "r");
    const dead = new Map<string, number>();
    try {
      // Somebody is making one, or removes them: the next command will do.
      if (!flock(tmp, "exclusive", false)) return;
      for (const name of names(this.tmp)) this.#lockDead(join(this.tmp, name), dead);
    } finally {
      closeSync(tmp);
    }
    try {
      for (const path of dead.keys()) await removeTree(path);
    } finally {
      for (const fd of dead.values()) closeSync(fd);
    }
  }

  #lockDead(path: string, dead: Map<string, number>): void {
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (error) {
      if (isErrno(error, "ENOENT")) return; // another process was faster
      throw error;
    }
    if (flock(fd, "exclusive", false)) dead.set(path, fd);
    else closeSync(fd);
  }
}

/** In the data directory. */
export const activeSizeFile = "active-size";
const MS_NODEV = 4;

function isMountPoint(path: string): boolean {
  const here = statSync(path, { throwIfNoEntry: false });
  return here !== undefined && here.dev !== statSync(dirname(path)).dev;
}

export function randomName(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
