import { basename, dirname } from "node:path";
import { type Digest, hexOf } from "../oci/digest.ts";
import { runHelper, runHelperSync } from "./helper.ts";

/**
 * Whole trees, by rt-layer: links are never followed, and neither modes nor depth are an obstacle. Synchronous where
 * the snapshot interface is.
 */

/** Copy everything below `from` into the existing directory `to`: owners, modes, xattrs, times, hard links, holes. */
export function copyTreeSync(from: string, to: string): void {
  runHelperSync("copy", { from, to });
}

export interface TreeUsage {
  /** Allocated, as du(1) counts them; a file with several names counts once. */
  bytes: number;
  inodes: number;
}

export function treeUsageSync(path: string): TreeUsage {
  const { bytes, inodes } = runHelperSync("usage", { path });
  return { bytes: Number(bytes), inodes: Number(inodes) };
}

/** An image's root: committed layers of a driver's directory, topmost first; one, or overlay's. */
export interface LayeredRoot {
  /** The driver's directory, an absolute path. */
  root: string;
  leaf: string;
  layers: readonly Digest[];
}

/**
 * Copy what the image has at `path` (links are followed inside its root) into the directory `to`, with the directory's own
 * owner, mode, xattrs and times; device nodes are left out. Beside `to`, in a directory that must be ours alone, the copy is
 * made: `to` may be in use. False: there is no directory at `path`, or `to` is not empty; nothing was done.
 */
export function seedVolumeSync({ root, leaf, layers }: LayeredRoot, path: string, to: string): boolean {
  const place = { parent: dirname(to), name: basename(to) };
  const answer = runHelperSync("seed", { ...place, root, leaf, layers: layers.map(hexOf).join(","), path });
  return answer.seeded === true;
}

/** Complete, or take back, a seeding of `to` that was cut short; wait for one that is under way. */
export function finishSeedSync(to: string): void {
  runHelperSync("seed", { parent: dirname(to), name: basename(to) });
}

/** Remove `name` in the directory `parent`. Absent is fine. */
export async function removeTree(parent: string, name: string): Promise<void> {
  await runHelper("remove", { parent, name });
}
