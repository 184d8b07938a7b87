import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { hostOwner, type IdMap } from "../base/id-map.ts";
import { LayerConflict, runHelper } from "../layer/helper.ts";
import {
  type Change,
  changesOf,
  commitTo,
  differencesOf,
  type Top,
  type WrittenLayer,
} from "../layer/root.ts";
import { copyTree, type LayeredRoot, removeTree, seedVolume, treeUsage } from "../layer/tree.ts";
import type { Unpacked } from "../layer/unpack.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { syncCommitted } from "./boot.ts";
import { randomName, SnapshotDirectory } from "./directory.ts";
import { mapsLayersIn } from "./mapped.ts";
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
 * Layers as overlayfs takes them: each a directory with its own files, whiteouts (character device 0:0) and opaque marks
 * (trusted.overlay.opaque, in a user namespace user.overlay.opaque). Shared by all images and containers, and unpacked without waiting for the layers below.
 *
 *   committed/<hex>/diff            root of a layer; its mode and owner are those of the image's root up to here
 *   active/<key>/{upper,work}
 *   active/<key>/rootfs             instead of them, where a container with a user namespace cannot share layers: a copy of all
 *   mapped                          whether it can, as of this boot (mapped.ts)
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
      return unpackResult(await this.#unpackAny(request, fd));
    } finally {
      closeSync(fd);
    }
  }

  mapsLayers(): Promise<boolean> {
    return mapsLayersIn(this.#directory.root);
  }

  async prepare(
    key: string,
    chain: readonly Digest[],
    { owners, abort, tell }: PrepareOptions = {},
  ): Promise<void> {
    if (owners && chain.length > 0 && !(await this.mapsLayers())) {
      tell?.("its files are copied, which takes time and room: here no layer can be shown with other owners");
      return this.#copyAll(key, chain, { owners, abort });
    }
    const path = this.#directory.makeActive(key);
    const upper = join(path, "upper");
    mkdirSync(upper, { mode: 0o755 });
    mkdirSync(join(path, "work"), { mode: 0o700 });
    this.#likeImageRoot(upper, chain.at(-1), owners);
  }

  async #copyAll(key: string, chain: readonly Digest[], options: SnapshotOptions): Promise<void> {
    const missing = chain.find((digest) => !this.has(digest));
    if (missing !== undefined) throw notUnpacked(missing);
    const rootfs = join(this.#directory.makeActive(key), "rootfs");
    mkdirSync(rootfs, { mode: 0o755 });
    await copyTree(this.#image(chain), rootfs, options);
  }

  rootfs(key: string, chain: readonly Digest[], options: RootfsOptions): Rootfs {
    const path = join(this.#directory.active, key);
    const top = options.owners && this.#top(key, options.owners);
    if (top && !top.isUpper) return { type: "bind", source: top.path };
    const upper = join(path, "upper");
    // Overlay wants at least one layer below.
    if (chain.length === 0) return { type: "bind", source: upper };
    const lower = this.layers(chain);
    const mapped = options.owners !== undefined;
    const work = join(path, "work");
    return {
      type: "overlay",
      lower,
      upper,
      work,
      volatile: options.volatile ?? false,
      ...(mapped && { mapped }),
    };
  }

  layers(chain: readonly Digest[]): string[] {
    return chain.map((digest) => join(this.#committed(digest), "diff")).reverse();
  }

  async seed(
    chain: readonly Digest[],
    path: string,
    destination: string,
    options?: SnapshotOptions,
  ): Promise<boolean> {
    if (chain.length === 0) return false;
    return seedVolume(this.#image(chain), path, destination, options);
  }

  #image(chain: readonly Digest[]): LayeredRoot {
    return { root: this.#directory.root, leaf: "diff", layers: chain.toReversed() };
  }

  #top(key: string, owners: IdMap | undefined): Top {
    const path = join(this.#directory.active, key);
    // Only what has a user namespace may be a copy.
    const copied = join(path, "rootfs");
    if (owners && existsSync(copied)) return { path: copied, isUpper: false, owners };
    return { path: join(path, "upper"), isUpper: true, owners };
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
    { owners, abort }: SnapshotOptions = {},
  ): Promise<Change[]> {
    return changesOf({ lower: this.layers(chain) }, this.#top(key, owners), given, abort);
  }

  commit(
    key: string,
    chain: readonly Digest[],
    given: readonly string[],
    file: number,
    options: SnapshotOptions & { sizeMax?: number | undefined } = {},
  ): Promise<WrittenLayer> {
    const top = this.#top(key, options.owners);
    return commitTo(file, { lower: this.layers(chain) }, top, given, options);
  }

  async remake(chain: readonly Digest[], file: number, options: RemakeOptions = {}): Promise<WrittenLayer> {
    const missing = chain.find((digest) => !this.has(digest));
    if (missing !== undefined) throw notUnpacked(missing);
    const top: Top = { path: this.treeOf(chain.at(-1)!), isUpper: true, owners: undefined };
    return commitTo(file, { lower: this.layers(chain.slice(0, -1)) }, top, [], options);
  }

  differences(chain: Digest, other: SnapshotDriver, abort?: AbortSignal): Promise<Change[]> {
    return differencesOf(this.treeOf(chain), other.treeOf(chain), abort);
  }

  treeOf(chain: Digest): string {
    return join(this.#directory.committed, hexOf(chain), "diff");
  }

  usage(key: string): Promise<{ bytes: number; inodes: number }> {
    const path = join(this.#directory.active, key);
    const upper = join(path, "upper");
    return treeUsage(existsSync(upper) ? upper : join(path, "rootfs"));
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
  #likeImageRoot(upper: string, top: Digest | undefined, owners: IdMap | undefined): void {
    try {
      const like = top === undefined ? undefined : statSync(join(this.#committed(top), "diff"));
      const { mode, uid, gid } = like ?? { mode: 0o755, uid: 0, gid: 0 };
      const own = owners ? hostOwner(owners, uid, gid) : { uid, gid };
      if (own.uid !== 0 || own.gid !== 0) chownSync(upper, own.uid, own.gid);
      chmodSync(upper, mode & 0o7777);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      throw notUnpacked(top);
    }
  }
}

function notUnpacked(top: Digest | undefined): RtError {
  return new RtError("not-found", `the layers up to ${top} are not unpacked: pull the image again`);
}

export const overlay: SnapshotCandidate = {
  name: "overlay",
  async available(snapshots) {
    const { works } = await runHelper("probe-overlay", { directory: snapshots });
    return works === true;
  },
  open: (root) => new OverlayDriver(root),
};
