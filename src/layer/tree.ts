import { basename, dirname } from "node:path";
import type { IdMap } from "../base/id-map.ts";
import { removeSmallTree } from "../native/system.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { type HelperArguments, ownerArguments, runHelper } from "./helper.ts";

/**
 * Whole trees, by rt-layer, so that this process goes on meanwhile: links are never followed, and neither modes nor depth are
 * an obstacle.
 */

export interface CopyOptions {
  /** What has a container's numbers comes to belong to the host's. */
  owners?: IdMap | undefined;
  abort?: AbortSignal | undefined;
}

/** Copy everything below `from` into the existing directory `to`: owners, modes, xattrs, times, hard links, holes. */
export async function copyTree(
  from: string | LayeredRoot,
  to: string,
  { owners, abort }: CopyOptions = {},
): Promise<void> {
  const source = typeof from === "string" ? { from } : layerArguments(from);
  await runHelper("copy", { ...source, to, ...ownerArguments(owners) }, abort);
}

export interface TreeUsage {
  /** Allocated, as du(1) counts them; a file with several names counts once. */
  bytes: number;
  inodes: number;
}

export async function treeUsage(path: string): Promise<TreeUsage> {
  const { bytes, inodes } = await runHelper("usage", { path });
  return { bytes: Number(bytes), inodes: Number(inodes) };
}

/** The highest number of each kind that anything in a tree belongs to, but for nobody's, and where. */
export interface HighestOwners {
  uid: number;
  uidPath: string;
  gid: number;
  gidPath: string;
}

export async function highestOwners(path: string): Promise<HighestOwners> {
  const { uid, uidPath, gid, gidPath } = await runHelper("owners", { path });
  return { uid: Number(uid), uidPath: String(uidPath), gid: Number(gid), gidPath: String(gidPath) };
}

/** An image's root: committed layers of a driver's directory, topmost first; one, or overlay's. */
export interface LayeredRoot {
  /** The driver's directory, an absolute path. */
  root: string;
  leaf: string;
  layers: readonly Digest[];
}

function layerArguments({ root, leaf, layers }: LayeredRoot): HelperArguments {
  return { root, leaf, layers: layers.map(hexOf).join(",") };
}

/**
 * Copy what the image has at `path` (links are followed inside its root) into the directory `to`, with the directory's own
 * owner, mode, xattrs and times; device nodes are left out. Beside `to`, in a directory that must be ours alone, the copy is
 * made: `to` may be in use. False: there is no directory at `path`, or `to` is not empty; nothing was done.
 * @throws the reason of `abort`, which cuts it short
 */
export async function seedVolume(
  image: LayeredRoot,
  path: string,
  to: string,
  { owners, abort }: CopyOptions = {},
): Promise<boolean> {
  const place = { parent: dirname(to), name: basename(to) };
  const request = { ...place, ...layerArguments(image), path, ...ownerArguments(owners) };
  const answer = await runHelper("seed", request, abort);
  return answer.seeded === true;
}

/** Complete, or take back, a seeding of `to` that was cut short; wait for one that is under way. */
export async function finishSeed(to: string): Promise<void> {
  await runHelper("seed", { parent: dirname(to), name: basename(to) });
}

/** Starting a helper takes as long as removing this many names. */
const smallNamesMax = 256;

/** Remove the directory `path` and all below it. Absent is fine. What is small is gone when this returns its promise. */
export async function removeTree(path: string): Promise<void> {
  if (removeSmallTree(path, smallNamesMax)) return;
  await runHelper("remove", { parent: dirname(path), name: basename(path) });
}
