import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../base/errors.ts";
import { hostOwner, type IdMap } from "../base/id-map.ts";
import {
  type Change,
  changesOf,
  commitTo,
  differencesOf,
  type Top,
  type WrittenLayer,
} from "../layer/root.ts";
import { copyTree, removeTree, seedVolume, treeUsage } from "../layer/tree.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { syncCommitted } from "./boot.ts";
import { randomName, SnapshotDirectory } from "./directory.ts";
import {
  type PrepareOptions,
  type RemakeOptions,
  type Rootfs,
  type RootfsOptions,
  type SnapshotCandidate,
  type SnapshotDriver,
  type SnapshotOptions,
  type UnpackRequest,
  type UnpackResult,
  unpackResult,
} from "./snapshot.ts";

/**
 * Whole trees, for where overlayfs does not work: each committed snapshot is a copy of its parent with the layer applied,
 * each container's rootfs a copy of that. Slow and large, but it asks nothing of the file system; where that can share
 * extents (btrfs, xfs), copies do.
 *
 *   committed/<hex>/rootfs
 *   active/<key>/rootfs
 */
class CopyDriver implements SnapshotDriver {
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
    const { unpackLayer } = await import("../layer/unpack.ts"); // Only a pull needs it.
    const fd = openSync(stream.path, "r");
    const name = randomName();
    let kept = false;
    try {
      this.#directory.ensure();
      await this.#directory.removeAbandoned();
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
      return unpackResult(result);
    } finally {
      closeSync(fd);
      if (!kept) await removeTree(join(this.#directory.tmp, name));
    }
  }

  /** Nothing is shared, and so nobody needs that. */
  async mapsLayers(): Promise<boolean> {
    return true;
  }

  async prepare(
    key: string,
    chain: readonly Digest[],
    { abort, owners }: PrepareOptions = {},
  ): Promise<void> {
    const top = chain.at(-1);
    if (top !== undefined && !this.has(top)) throw notUnpacked(top);
    const rootfs = join(this.#directory.makeActive(key), "rootfs");
    mkdirSync(rootfs, { mode: 0o755 });
    if (top === undefined) emptyRoot(rootfs, owners);
    else await copyTree(join(this.#directory.committed, hexOf(top), "rootfs"), rootfs, { owners, abort });
  }

  rootfs(key: string, _chain: readonly Digest[], _options: RootfsOptions): Rootfs {
    return { type: "bind", source: join(this.#directory.active, key, "rootfs") };
  }

  layers(chain: readonly Digest[]): string[] {
    const top = chain.at(-1);
    return top === undefined ? [] : [join(this.#directory.committed, hexOf(top), "rootfs")];
  }

  async seed(
    chain: readonly Digest[],
    path: string,
    destination: string,
    options?: SnapshotOptions,
  ): Promise<boolean> {
    const top = chain.at(-1);
    if (top === undefined) return false;
    return seedVolume(
      { root: this.#directory.root, leaf: "rootfs", layers: [top] },
      path,
      destination,
      options,
    );
  }

  removeActive(key: string): Promise<void> {
    return this.#directory.removeActive(key);
  }

  removeCommitted(chain: Digest): Promise<void> {
    return this.#directory.removeCommitted(chain);
  }

  list(): { active: string[]; committed: Digest[] } {
    return this.#directory.list();
  }

  /** What a container has begun with. */
  #image(chain: readonly Digest[]): { tree?: string } {
    const [tree] = this.layers(chain);
    return tree === undefined ? {} : { tree };
  }

  #top(key: string, owners: IdMap | undefined): Top {
    return { path: join(this.#directory.active, key, "rootfs"), isUpper: false, owners };
  }

  changes(
    key: string,
    chain: readonly Digest[],
    given: readonly string[],
    { owners, abort }: SnapshotOptions = {},
  ): Promise<Change[]> {
    return changesOf(this.#image(chain), this.#top(key, owners), given, abort);
  }

  commit(
    key: string,
    chain: readonly Digest[],
    given: readonly string[],
    file: number,
    options: SnapshotOptions & { sizeMax?: number | undefined } = {},
  ): Promise<WrittenLayer> {
    return commitTo(file, this.#image(chain), this.#top(key, options.owners), given, options);
  }

  async remake(chain: readonly Digest[], file: number, options: RemakeOptions = {}): Promise<WrittenLayer> {
    const missing = chain.slice(-2).find((digest) => !this.has(digest));
    if (missing !== undefined) throw notUnpacked(missing);
    const top: Top = { path: this.treeOf(chain.at(-1)!), isUpper: false, owners: undefined };
    return commitTo(file, this.#image(chain.slice(0, -1)), top, [], options);
  }

  differences(chain: Digest, other: SnapshotDriver, abort?: AbortSignal): Promise<Change[]> {
    return differencesOf(this.treeOf(chain), other.treeOf(chain), abort);
  }

  treeOf(chain: Digest): string {
    return join(this.#directory.committed, hexOf(chain), "rootfs");
  }

  usage(key: string): Promise<{ bytes: number; inodes: number }> {
    return treeUsage(join(this.#directory.active, key, "rootfs"));
  }

  sync(): Promise<void> {
    return syncCommitted(this.#directory);
  }
}

function notUnpacked(top: Digest): RtError {
  return new RtError("not-found", `the layers up to ${top} are not unpacked: pull the image again`);
}

function emptyRoot(path: string, owners: IdMap | undefined): void {
  if (owners) {
    const { uid, gid } = hostOwner(owners, 0, 0);
    chownSync(path, uid, gid);
  }
  chmodSync(path, 0o755); // whatever our umask
}

export const copy: SnapshotCandidate = {
  name: "copy",
  available: async () => true,
  open: (root) => new CopyDriver(root),
};
