import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../base/errors.ts";
import { copyTreeSync, seedVolumeSync, treeUsageSync } from "../layer/tree.ts";
import { unpackLayer } from "../layer/unpack.ts";
import { removeTree } from "../native/system.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { settle } from "./boot.ts";
import { randomName, SnapshotDirectory } from "./directory.ts";
import type { Rootfs, RootfsOptions, SnapshotDriver, UnpackRequest, UnpackResult } from "./snapshot.ts";

/**
 * Whole trees, for where overlayfs does not work: each committed snapshot is a copy of its parent with the layer applied,
 * each container's rootfs a copy of that. Slow and large, but it asks nothing of the file system; where that can share
 * extents (btrfs, xfs), copies do.
 *
 *   committed/<hex>/rootfs
 *   active/<key>/rootfs
 */
export class CopyDriver implements SnapshotDriver {
  readonly name = "copy";
  readonly parallel = false;
  readonly #directory: SnapshotDirectory;

  /** @param root the driver's own directory */
  constructor(root: string) {
    this.#directory = new SnapshotDirectory(root);
  }

  has(chain: Digest): boolean {
    return existsSync(join(this.#directory.committed, hexOf(chain), "rootfs"));
  }

  async unpack(request: UnpackRequest): Promise<UnpackResult> {
    const { chain, parents, diffID, source: stream, sizeMax, parentReady, signal } = request;
    const fd = openSync(stream.path, "r");
    const name = randomName();
    let kept = false;
    try {
      this.#directory.ensure();
      this.#directory.sweep();
      this.#directory.removeHollow(chain);
      const result = await unpackLayer(
        { stream, fd, diffID, sizeMax, parentReady, signal },
        {
          root: this.#directory.root,
          name,
          leaf: "rootfs",
          commit: hexOf(chain),
          mode: "merged",
          via: "copy",
          parents: parents.toReversed(),
        },
      );
      kept = result.committed;
      return { size: result.fileBytes };
    } finally {
      closeSync(fd);
      if (!kept) removeTree(join(this.#directory.tmp, name));
    }
  }

  prepare(key: string, chain: readonly Digest[]): void {
    const top = chain.at(-1);
    if (top !== undefined && !this.has(top))
      throw new RtError("not-found", `the layers up to ${top} are not unpacked: pull the image again`);
    const rootfs = join(this.#directory.makeActive(key), "rootfs");
    mkdirSync(rootfs, { mode: 0o755 });
    if (top === undefined)
      chmodSync(rootfs, 0o755); // whatever our umask
    else copyTreeSync(join(this.#directory.committed, hexOf(top), "rootfs"), rootfs);
  }

  rootfs(key: string, _chain: readonly Digest[], _options: RootfsOptions): Rootfs {
    return { type: "bind", source: join(this.#directory.active, key, "rootfs") };
  }

  seed(chain: readonly Digest[], path: string, destination: string): boolean {
    const top = chain.at(-1);
    if (top === undefined) return false;
    return seedVolumeSync({ root: this.#directory.root, leaf: "rootfs", layers: [top] }, path, destination);
  }

  removeActive(key: string): void {
    this.#directory.removeActive(key);
  }

  removeCommitted(chain: Digest): void {
    this.#directory.removeCommitted(chain);
  }

  list(): { active: string[]; committed: Digest[] } {
    return this.#directory.list();
  }

  usage(key: string): { bytes: number; inodes: number } {
    return treeUsageSync(join(this.#directory.active, key, "rootfs"));
  }

  settle(): Promise<void> {
    return settle(this.#directory);
  }
}
