import { existsSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { LiveRoot, RunningRoot, StillRoot, StillVolume } from "../../layer/root.ts";
import type { Rootfs, SnapshotDriver } from "../../snapshot/snapshot.ts";
import type { Host } from "../host.ts";
import { type Look, requireRunning } from "./find.ts";

/** Ours, mounted over the image's. */
const nameFiles = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/** What a start makes in every container, where its image has nothing. */
export const madeByStart = ["/etc", ...nameFiles, "/dev", "/proc", "/sys"];

/**
 * A container's root as it sees it, its volumes included, until `undo`.
 * @param write something is to be changed in it
 */
export async function liveRoot(
  host: Host,
  seen: Look,
  write: boolean,
  undo: AsyncDisposableStack,
): Promise<LiveRoot> {
  const { record } = seen.container;
  const running = await runningRoot(host, seen);
  if (running) return running;
  const rootfs = await rootfsOf(host, record);
  if (record.mounts.some(({ type }) => type === "volume")) {
    const { useVolumes } = await import("./use-volumes.ts");
    await useVolumes(host, record, undo);
  }
  const attended = join(host.stateOf(record.id), "lock");
  const volumes = await volumesOf(host, record);
  return { ...stillRoot(rootfs, record, volumes, write), ...(write && { attended }) };
}

/** That and nothing of what is mounted in it. */
export async function bareRoot(host: Host, seen: Look): Promise<LiveRoot> {
  const running = await runningRoot(host, seen);
  if (running) return { ...running, mounts: [] };
  const { record } = seen.container;
  return stillRoot(await rootfsOf(host, record), record, [], false);
}

async function runningRoot(host: Host, seen: Look): Promise<RunningRoot | undefined> {
  const { status, pid, startTime } = seen.state;
  if (pid === 0 && status !== "running") return undefined;
  await requireRunning(host, seen);
  const mounts = [...seen.container.record.mounts.map(({ destination }) => destination), ...nameFiles];
  return { pid, startTime, mounts, owners: seen.container.record.idMappings };
}

function stillRoot(
  rootfs: Rootfs,
  { idMappings: owners }: ContainerRecord,
  volumes: StillVolume[],
  write: boolean,
): StillRoot {
  const shared = { owners, ...(volumes.length > 0 && { volumes }) };
  if (rootfs.type === "bind") return { tree: rootfs.source, ...shared };
  const { lower, upper, work, mapped = false } = rootfs;
  // Only to be read: the upper directory is one more layer, and nothing of it changes.
  if (!write) return { own: upper, lower, mapped, ...shared };
  return { lower, mapped, upper: { directory: upper, work }, ...shared };
}

/** Of its snapshot, as the container's init mounts it. @throws conflict: there is none */
export async function rootfsOf(host: Host, record: ContainerRecord): Promise<Rootfs> {
  const snapshots = await host.snapshotsOf(record.driver);
  const rootfs = snapshots.rootfs(record.id, record.chain, { owners: record.idMappings });
  if (hasFiles(snapshots, record)) return rootfs;
  const why = `container ${record.name} has no files of its own yet: start it first`;
  throw new RtError("conflict", why, { exitCode: 1 });
}

/** False until it is started for the first time. */
export function hasFiles(
  snapshots: SnapshotDriver,
  { id, chain, idMappings: owners }: ContainerRecord,
): boolean {
  const rootfs = snapshots.rootfs(id, chain, { owners });
  return existsSync(rootfs.type === "bind" ? rootfs.source : rootfs.upper);
}

/** What is written through an overlay is not for its source; an image's files are in its own layers. */
async function volumesOf(host: Host, record: ContainerRecord): Promise<StillVolume[]> {
  const isMapped = record.idMappings && (await import("./mapped-mounts.ts")).mappedMounts(host, record);
  const mapped = (await isMapped) ?? (() => false);
  return record.mounts
    .filter(({ type }) => type === "volume" || type === "bind")
    .map((mount) => ({
      ...{ path: mount.destination, from: mount.source },
      readonly: mount.readonly || mount.overlay === true,
      ...(mount.subpath !== undefined && { subpath: mount.subpath }),
      ...(mapped(mount) && { mapped: true }),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
