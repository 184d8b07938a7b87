import { statSync } from "node:fs";
import { join } from "node:path";
import { asSystemError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Mount } from "../../settings/container-settings.ts";
import { mapsLayersIn } from "../../snapshot/mapped.ts";
import type { Host } from "../host.ts";
import { hasOwn } from "../volume/mount.ts";

/**
 * Of a container with a user namespace of its own: which of its mounts are seen through its maps, so that what belongs to root on
 * disk is its root's. An image and a named volume are, where the file system of our store can do that: whoever has the volume, with
 * whatever ids, sees the same owners. A directory of the host is where somebody says `idmap`; else its owners are the host's, whom
 * the container does not know; and so is a volume that is such a directory (`-o o=bind -o device=/srv`).
 */
export async function mappedMounts(
  host: Host,
  { idMappings, mounts }: Pick<ContainerRecord, "idMappings" | "mounts">,
): Promise<(mount: Mount) => boolean> {
  if (!idMappings || mounts.length === 0) return () => false;
  const store = join(host.paths.root, "snapshots", "overlay");
  const ofStore = mounts.some(isOfStore) && (await mapsLayersIn(store));
  return (mount) => {
    if (mount.idmap !== undefined) return mount.idmap === "";
    if (!ofStore || !isOfStore(mount)) return false;
    return mount.type === "image" || (!hasOwn(mount) && isOn(mount.source, store));
  };
}

function isOfStore({ type }: Mount): boolean {
  return type === "image" || type === "volume";
}

/** Volumes may be elsewhere. */
function isOn(path: string, other: string): boolean {
  return deviceOf(path) === deviceOf(other);
}

function deviceOf(path: string): number | undefined {
  try {
    return statSync(path).dev;
  } catch (error) {
    if (asSystemError(error)) return undefined;
    throw error;
  }
}
