import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { LayerConflict, runHelper } from "../layer/helper.ts";
import { type Change, changesOf, commitTo, differencesOf, type WrittenLayer } from "../layer/root.ts";
import { removeTree, seedVolume, treeUsage } from "../layer/tree.ts";
import type { Unpacked } from "../layer/unpack.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { syncCommitted } from "./boot.ts";
import { randomName, SnapshotDirectory } from "./directory.ts";
import type {
  Rootfs,
  RootfsOptions,
  SnapshotCandidate,
  SnapshotDriver,
  UnpackRequest,
  UnpackResult,
} from "./snapshot.ts";

/**
 * Layers as overlayfs takes them: each a directory with its own files, whiteouts (character device 0:0) and opaque marks
 * (trusted.overlay.opaque). Shared by all images and containers, and unpacked without waiting for the layers below.
 *
 *   committed/<hex>/diff            root of a layer; its mode and owner are those of the image's root up to here
 *   active/<key>/{upper,work}
 */
export class OverlayDriver implements SnapshotDriver {
  readonly name = "overlay";
  readonly parallel = true;
  readonly #directory: SnapshotDirectory;

  /** @param root the driver's own directory */
  constructor(root: string) {
    this.#directory = new SnapshotDirectory(root);
  }

  has(chain: Digest): boolean {
    return existsSync(join(this.#committed(chain), "diff"));
  }

  async unpack(request: UnpackRequest): Promise<UnpackResult> {
    const fd = openSync(request.source.path, "r");
    try {
      this.#directory.ensure();
      await this.#directory.removeAbandoned();
      this.#directory.removeHollow(request.chain);
      return { size: (await this.#unpackAny(request, fd)).fileBytes };
    } finally {
      closeSync(fd);
    }
  }

  async prepare(key: string, chain: readonly Digest[]): Promise<void> {
    const path = this.#directory.makeActive(key);
    const upper = join(path, "upper");
    mkdirSync(upper, { mode: 0o755 });
    mkdirSync(join(path, "work"), { mode: 0o700 });
    this.#likeImageRoot(upper, chain.at(-1));
  }

  rootfs(key: string, chain: readonly Digest[], options: RootfsOptions): Rootfs {
    const path = join(this.#directory.active, key);
    const upper = join(path, "upper");
    // Overlay wants at least one layer below.
    if (chain.length === 0) return { type: "bind", source: upper };
    const lower = this.layers(chain);
    return { type: "overlay", lower, upper, work: join(path, "work"), volatile: options.volatile ?? false };
  }

  layers(chain: readonly Digest[]): string[] {
    return chain.map((digest) => join(this.#committed(digest), "diff")).reverse();
  }

  async seed(
    chain: readonly Digest[],
    path: string,
    destination: string,
    abort?: AbortSignal,
  ): Promise<boolean> {
    if (chain.length === 0) return false;
    return seedVolume(
      { root: this.#directory.root, leaf: "diff", layers: chain.toReversed() },
      path,
      destination,
      abort,
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

  changes(
    key: string,
    chain: readonly Digest[],
    given: readonly string[],
    abort?: AbortSignal,
  ): Promise<Change[]> {
    const lower = this.layers(chain);
    const top = { path: join(this.#directory.active, key, "upper"), isUpper: true };
    return changesOf({ lower }, top, given, abort);
  }

  commit(
    key: string,
    chain: readonly Digest[],
    given: readonly string[],
    file: number,
    options?: { sizeMax?: number | undefined; abort?: AbortSignal | undefined },
  ): Promise<WrittenLayer> {
    const top = { path: join(this.#directory.active, key, "upper"), isUpper: true };
    return commitTo(file, { lower: this.layers(chain) }, top, given, options);
  }

  differences(chain: Digest, other: SnapshotDriver, abort?: AbortSignal): Promise<Change[]> {
    return differencesOf(this.treeOf(chain), other.treeOf(chain), abort);
  }

  treeOf(chain: Digest): string {
    return join(this.#directory.committed, hexOf(chain), "diff");
  }

  usage(key: string): Promise<{ bytes: number; inodes: number }> {
    return treeUsage(join(this.#directory.active, key, "upper"));
  }

  sync(): Promise<void> {
    return syncCommitted(this.#directory);
  }

  #committed(chain: Digest): string {
    return join(this.#directory.committed, hexOf(chain));
  }

  /** Nearly always as a diff. Where the layer turns out to build on what is below, on a mount of that. */
  async #unpackAny(request: UnpackRequest, fd: number): Promise<Unpacked> {
    try {
      return await this.#unpackAs(request, fd, "diff");
    } catch (error) {
      if (!(error instanceof LayerConflict)) throw error;
      return await this.#unpackAs(request, fd, "merged");
    }
  }

  async #unpackAs(request: UnpackRequest, fd: number, mode: "diff" | "merged"): Promise<Unpacked> {
    const { chain, parents, diffID, source: stream, sizeMax, parentReady, signal } = request;
    const { unpackLayer } = await import("../layer/unpack.ts"); // Only a pull needs it.
    const name = randomName();
    let kept = false;
    try {
      const result = await unpackLayer(
        { stream, fd, diffID, sizeMax, parentReady, signal },
        {
          root: this.#directory.root,
          name,
          leaf: "diff",
          commit: hexOf(chain),
          mode,
          via: mode === "merged" ? "overlay" : "none",
          parents: parents.toReversed(),
        },
      );
      kept = result.committed;
      return result;
    } finally {
      if (!kept) await removeTree(join(this.#directory.tmp, name));
    }
  }

  /** The mount's root is `upper`: what `stat /` shows in the container. */
  #likeImageRoot(upper: string, top: Digest | undefined): void {
    if (top === undefined) {
      chmodSync(upper, 0o755); // whatever our umask
      return;
    }
    try {
      const { mode, uid, gid } = statSync(join(this.#committed(top), "diff"));
      if (uid !== 0 || gid !== 0) chownSync(upper, uid, gid);
      chmodSync(upper, mode & 0o7777);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      throw new RtError("not-found", `the layers up to ${top} are not unpacked: pull the image again`);
    }
  }
}

export const overlay: SnapshotCandidate = {
  name: "overlay",
  async available(snapshots) {
    const { works } = await runHelper("probe-overlay", { directory: snapshots });
    return works === true;
  },
  open: (root) => new OverlayDriver(root),
};
