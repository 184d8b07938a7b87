import { readFileSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isErrno } from "../../base/errors.ts";
import { detoursFile, parseDetours } from "../../container/detours-file.ts";
import { mountedFile } from "../../container/mounted-file.ts";
import { hasPoststop } from "../../container/poststop-file.ts";
import { removeTree } from "../../layer/tree.ts";
import { isVolumeName } from "../../settings/volume.ts";
import type { Host } from "../host.ts";

/** Whoever was removing such a state directory may have died over it; nobody needs it. */
export const doomedPrefix = "over-";

export function doomedName(directory: string): string {
  return join(dirname(directory), `${doomedPrefix}${crypto.randomUUID()}`);
}

/** Remove a state directory, and what was made or mounted on the host for it and nobody else needs. */
export async function removeStateDirectory(host: Host, directory: string): Promise<void> {
  if (hasPoststop(directory)) await (await import("./poststop.ts")).runPoststop(host, directory, true);
  const names = mountedFor(directory);
  const detours = detoursOf(directory);
  if (detours.length > 0) (await import("../network/bandwidth.ts")).removeDetours(detours);
  if (names.length === 0) return removeTree(directory);
  // From here on it counts for nobody.
  const doomed = basename(directory).startsWith(doomedPrefix) ? directory : doomedName(directory);
  if (doomed !== directory && !moved(directory, doomed)) return;
  const { releaseVolumes } = await import("../volume/mount.ts");
  await releaseVolumes(host, names);
  await removeTree(doomed);
}

/** False: somebody else is at it, and sees to all of it. */
function moved(directory: string, to: string): boolean {
  try {
    renameSync(directory, to);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function mountedFor(directory: string): string[] {
  return readIfThere(join(directory, mountedFile)).split("\n").filter(isVolumeName);
}

function detoursOf(directory: string): string[] {
  return parseDetours(readIfThere(join(directory, detoursFile))).map(({ name }) => name);
}

/** Most have no such file. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return "";
    throw error;
  }
}
