import { chmodSync, chownSync, mkdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError, withCause } from "../../base/errors.ts";
import { containerId, hostId, type IdMap, type IdRange } from "../../base/id-map.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { removeTree } from "../../layer/tree.ts";
import { mountAround } from "../../runtime/mount-point.ts";
import type { MountSource } from "../../runtime/native/request.ts";
import type { Mount } from "../../settings/container-settings.ts";
import { idmapRanges } from "../../settings/volume.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import type { Host } from "../host.ts";

/**
 * Mounts can come from the host, or go there, only where the host's own do.
 * @throws RtError invalid-argument, in Docker's words
 */
export function checkPropagation(mounts: readonly Mount[]): void {
  for (const { type, source, options } of mounts) {
    const wanted = options.find((option) => /^r?(shared|slave)$/.test(option));
    if (type !== "bind" || wanted === undefined) continue;
    const around = mountAround(source);
    if (!around || around.shared || (around.slave && wanted.endsWith("slave"))) continue;
    const needed = wanted.endsWith("slave") ? "a shared or slave mount" : "a shared mount";
    const why = `path ${source} is mounted on ${around.point} but it is not ${needed}`;
    throw new RtError("invalid-argument", why);
  }
}

/** Of most containers there are none. */
export function hasSources({ mounts, idMappings }: Pick<ContainerRecord, "mounts" | "idMappings">): boolean {
  return mounts.some(
    ({ type, subpath, chown, overlay, idmap }) =>
      type === "image" ||
      subpath !== undefined ||
      chown ||
      overlay ||
      idmap ||
      (idMappings && (type === "volume" || idmap === "")),
  );
}

/**
 * What the mounts of a container are made of that are more than a directory of the host. What is written into an overlay goes
 * to a directory that is new at each start, and goes with the container.
 */
export async function mountSources(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
  undo: AsyncDisposableStack,
): Promise<Record<string, MountSource>> {
  const tops = join(host.filesOf(record.id), "tops");
  await removeTree(tops);
  undo.defer(async () => {
    await removeTree(tops);
    removeIfEmpty(host.filesOf(record.id));
  });
  const owners = record.idMappings;
  const isMapped = owners && (await import("./mapped-mounts.ts")).mappedMounts(host, record);
  const mapped = (await isMapped) ?? (() => false);
  const sources = record.mounts.map((mount, index) => [
    mount.destination,
    sourceOf(mount, snapshots, join(tops, String(index)), { owners, mapped: mapped(mount) }),
  ]);
  return Object.fromEntries(sources);
}

/** There may be the log of an earlier start in it. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "ENOENT")) throw error;
  }
}

/** Of the container's user namespace: whether the mount is seen through it. */
interface Owners {
  owners: IdMap | undefined;
  mapped: boolean;
}

function sourceOf(mount: Mount, snapshots: SnapshotDriver, top: string, how: Owners): MountSource {
  const { type, source, subpath, chown, overlay, idmap, chain = [] } = mount;
  const lower = type === "image" ? snapshots.layers(chain) : overlay ? [source] : undefined;
  if (lower?.length === 0)
    throw new RtError("invalid-argument", `image ${source} has no files to be mounted`);
  return {
    ...(lower && { lower }),
    ...(lower && (overlay || isBare(lower, snapshots)) && overlayTop(lower[0]!, top, how)),
    ...(subpath !== undefined && { subpath }),
    ...(chown && { chown }),
    ...(how.mapped && { mapped: true }),
    ...(idmap && {
      uids: idmapRanges(idmap, "uids", how.owners?.uids),
      gids: idmapRanges(idmap, "gids", how.owners?.gids),
    }),
  };
}

/**
 * An image of one layer would be that layer's own directory, which is read-only until a container with CAP_SYS_ADMIN says
 * otherwise, and other containers' too. Two layers are an overlay, which takes nothing without a directory for it.
 */
function isBare(lower: readonly string[], { name }: SnapshotDriver): boolean {
  return lower.length === 1 && name === "overlay";
}

/** @param below whose mode and owner it has: they are the mount's own. What a container does not know is its root's. */
function overlayTop(
  below: string,
  top: string,
  { owners, mapped }: Owners,
): Pick<MountSource, "upper" | "work"> {
  const [upper, work] = [join(top, "upper"), join(top, "work")];
  try {
    const { mode, ...on } = statSync(below);
    const [uid, gid] = owners
      ? [ownerOf(owners.uids, on.uid, mapped), ownerOf(owners.gids, on.gid, mapped)]
      : [on.uid, on.gid];
    for (const path of [upper, work]) mkdirSync(path, { recursive: true, mode: 0o700 });
    chownSync(upper, uid, gid);
    chmodSync(upper, mode & 0o7777);
  } catch (error) {
    throw withCause(`cannot make an overlay over ${below}`, error);
  }
  return { upper, work };
}

/** On disk, of what is new beside something that belongs to `id`. */
function ownerOf(ranges: readonly IdRange[], id: number, mapped: boolean): number {
  const own = mapped ? hostId(ranges, id) : containerId(ranges, id) === undefined ? undefined : id;
  return own ?? hostId(ranges, 0) ?? id;
}
