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

/** Remove `name` in the directory `parent`. Absent is fine. */
export async function removeTree(parent: string, name: string): Promise<void> {
  await runHelper("remove", { parent, name });
}
