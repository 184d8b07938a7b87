import type { IdMap } from "../base/id-map.ts";
import type { Change, WrittenLayer } from "../layer/root.ts";
import type { LayerStream } from "../layer/stream.ts";
import type { Unpacked } from "../layer/unpack.ts";
import type { Digest } from "../oci/digest.ts";

export type { Change, LayerStream, WrittenLayer };

/**
 * Snapshots: unpacked layers, and the writable top of each container.
 *
 *   committed   one per chainID: what the layers up to here look like. Immutable, shared, made once.
 *   active      one per container, by key (the container's id): a committed chain plus a writable top.
 *
 * An image of two layers, and a container on it:
 *
 *   await driver.unpack({ chain: c0, parents: [],   source, diffID: d0, parentReady })
 *   await driver.unpack({ chain: c1, parents: [c0], source, diffID: d1, parentReady })
 *   await driver.seed([c0, c1], "/var/lib/data", volume)
 *   await driver.prepare(id, [c0, c1])
 *   driver.rootfs(id, [c0, c1], {})  -> { type: "overlay", lower: ["…/c1", "…/c0"], upper, work } | { type: "bind", source }
 *   await driver.removeActive(id)
 *
 * The rootfs is a description, not a mount: the container's init mounts it inside its own mount namespace, so that the
 * kernel takes it away with the container, and a crash leaves nothing mounted on the host.
 *
 * A snapshot is made under a temporary name and becomes visible by rename(2) after its diffID was verified.
 */
export interface SnapshotDriver {
  /** As its candidate is called. */
  readonly name: string;
  /** Is this committed? Cheap: one access(2). */
  has(chain: Digest): boolean;
  /**
   * Apply one layer on top of `parents` and commit it as `chain`. Idempotent and safe against another process doing the
   * same (the loser's work is dropped). Layers of one image may be unpacked at the same time when `parallel` is true; then
   * what depends on the parents (implied directories, hard links into them) is done by `unpack` after `parentReady`.
   * @throws data-loss when the stream's digest is not `diffID`, or the archive is hostile or malformed; nothing is left.
   */
  unpack(request: UnpackRequest): Promise<UnpackResult>;
  /** True where layers can be unpacked before their parents are committed. */
  readonly parallel: boolean;
  /**
   * A new active snapshot on top of `chain` (bottom first; empty = scratch).
   * @throws the reason of `abort`; what is half made is removed as if it were whole
   */
  prepare(key: string, chain: readonly Digest[], options?: PrepareOptions): Promise<void>;
  /**
   * Can committed layers be seen through the maps of a user namespace, here? Where they cannot, a container with one of its own
   * gets a copy of all of them. Looked at once after a boot; one read from then on.
   */
  mapsLayers(): Promise<boolean>;
  /** How the container's init mounts the active snapshot `key`. */
  rootfs(key: string, chain: readonly Digest[], options: RootfsOptions): Rootfs;
  /**
   * Fill a new volume ("copy up"): what the image `chain` (bottom first) has at `path`, with the owner and mode of that
   * directory, into the empty directory `destination`; device nodes are left out. Containers may use it meanwhile: the copy
   * is made beside it, in a directory that must be ours alone. Links in `path` are followed inside the image. False, and
   * nothing done, where the image has no directory there or `destination` is not empty.
   * @throws the reason of `abort`, which cuts it short: whoever uses the volume next completes it or takes it back
   */
  seed(
    chain: readonly Digest[],
    path: string,
    destination: string,
    options?: SnapshotOptions,
  ): Promise<boolean>;
  /** Remove an active snapshot. Not-found is not an error. */
  removeActive(key: string): Promise<void>;
  /** Remove a committed snapshot that no image and no active snapshot needs: the caller holds the store's lock. */
  removeCommitted(chain: Digest): Promise<void>;
  /**
   * Put what is committed on the disk for good. Until then it is trusted only up to the next boot (boot.ts), and a pull need
   * not wait for the disk.
   */
  sync(): Promise<void>;
  /** Directories, topmost first, that together are the image's root: for who mounts it beside a container's own. */
  layers(chain: readonly Digest[]): string[];
  /**
   * How the committed `chain` differs from what `other`, a driver of this kind elsewhere, has of it: A is missing, D is too
   * much, C is another. Every byte is read.
   */
  differences(chain: Digest, other: SnapshotDriver, abort?: AbortSignal): Promise<Change[]>;
  /** Where the tree of a committed snapshot is. */
  treeOf(chain: Digest): string;
  /** Every key and chainID on disk, for garbage collection. */
  list(): { active: string[]; committed: Digest[] };
  /**
   * What the writable top `key` changed of `chain`, in no order. `given`: paths that whoever starts a container makes in it, and
   * that are no change where the image has not got them. With `owners` as it was prepared with: owners of both are the container's.
   */
  changes(
    key: string,
    chain: readonly Digest[],
    given: readonly string[],
    options?: SnapshotOptions,
  ): Promise<Change[]>;
  /**
   * The same changes as a layer: an archive, to an open file from its beginning, that `unpack` on top of `chain` makes of it
   * what the container has.
   * @throws exhausted: it is larger than `sizeMax`; the reason of `abort`
   */
  commit(
    key: string,
    chain: readonly Digest[],
    given: readonly string[],
    file: number,
    options?: SnapshotOptions & { sizeMax?: number | undefined },
  ): Promise<WrittenLayer>;
  /**
   * The topmost layer of a committed chain as an archive again, to an open file from its beginning, in the one form that `commit`
   * writes: what was committed here comes out byte for byte, what another tool packed seldom does. The caller compares digests.
   * @throws not-found: it is not unpacked here; as `commit`
   */
  remake(chain: readonly Digest[], file: number, options?: RemakeOptions): Promise<WrittenLayer>;
  /** Bytes and inodes that the writable top takes. */
  usage(key: string): Promise<{ bytes: number; inodes: number }>;
}

/** A kind of driver that there may be here. Its file exports one; select.ts lists them, the best first. */
export interface SnapshotCandidate {
  /** What --storage-driver and the directory of its snapshots call it. */
  readonly name: string;
  /** Would it work in the directory `snapshots`? Asked once for a store, and remembered. */
  available(snapshots: string): Promise<boolean>;
  /** @param root the driver's own directory, which need not exist */
  open(root: string): SnapshotDriver;
}

export interface SnapshotOptions {
  abort?: AbortSignal | undefined;
  /** Of the container's user namespace: what is made for it belongs to the host's numbers of these. */
  owners?: IdMap | undefined;
}

export interface RemakeOptions {
  sizeMax?: number | undefined;
  abort?: AbortSignal | undefined;
}

export interface PrepareOptions extends SnapshotOptions {
  /** A line for people: why this takes long. */
  tell?: (line: string) => void;
}

export interface RootfsOptions {
  /** The container has a user namespace with these maps. */
  owners?: IdMap | undefined;
  /** Nobody will look at the writable top after a crash (`--rm`): skip syncs (overlay's `volatile`). */
  volatile?: boolean;
  readonly?: boolean;
}

/** What the init stage mounts as the container's root. Mirrored by zig-native/wire/request.zig. */
export type Rootfs =
  | { type: "overlay"; lower: string[]; upper: string; work: string; volatile: boolean; mapped?: boolean }
  | { type: "bind"; source: string };

export interface UnpackRequest {
  chain: Digest;
  /** chainIDs below, bottom first. */
  parents: readonly Digest[];
  diffID: Digest;
  source: LayerStream;
  /** Resolves when the parent is committed. */
  parentReady: Promise<void>;
  /** Refuse an uncompressed stream larger than this. */
  sizeMax?: number;
  signal?: AbortSignal;
}

export interface UnpackResult {
  /** Bytes of the files in this layer (not of the tar). */
  size: number;
  /** What of it is not as the layer has it; undefined: nothing. */
  shortfall?: Shortfall | undefined;
}

/** What a user namespace does not allow (zig-native/layer/ids.zig). */
export interface Shortfall {
  /** Device nodes that are not there. */
  devices: number;
  /** Files whose owners are forgotten. */
  owners: number;
}

export function unpackResult({ fileBytes, devicesLeftOut, ownersLost }: Unpacked): UnpackResult {
  const isWhole = devicesLeftOut === 0 && ownersLost === 0;
  return {
    size: fileBytes,
    ...(!isWhole && { shortfall: { devices: devicesLeftOut, owners: ownersLost } }),
  };
}
