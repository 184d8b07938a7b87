import { existsSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { LiveRoot, RunningRoot, StillRoot } from "../../layer/root.ts";
import type { Rootfs } from "../../snapshot/snapshot.ts";
import type { Host } from "../host.ts";
import { type Look, requireRunning } from "./find.ts";

/** Ours, mounted over the image's. */
export const nameFiles = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/** A container's root as it sees it, its volumes included; `write`: something is to be changed in it. */
export async function liveRoot(host: Host, seen: Look, write: boolean): Promise<LiveRoot> {
  const { record } = seen.container;
  return (await runningRoot(host, seen)) ?? stillRoot(await rootfsOf(host, record), volumesOf(record), write);
}

/** That and nothing of what is mounted in it. */
export async function bareRoot(host: Host, seen: Look): Promise<LiveRoot> {
  const running = await runningRoot(host, seen);
  if (running) return { ...running, mounts: [] };
  return stillRoot(await rootfsOf(host, seen.container.record), [], false);
}

async function runningRoot(host: Host, seen: Look): Promise<RunningRoot | undefined> {
  const { status, pid, startTime } = seen.state;
  if (pid === 0 && status !== "running") return undefined;
  await requireRunning(host, seen);
  const mounts = [...seen.container.record.mounts.map(({ destination }) => destination), ...nameFiles];
  return { pid, startTime, mounts };
}

function stillRoot(rootfs: Rootfs, volumes: StillRoot["volumes"], write: boolean): StillRoot {
  const shared = volumes && volumes.length > 0 ? { volumes } : {};
  if (rootfs.type === "bind") return { tree: rootfs.source, ...shared };
  const { lower, upper, work } = rootfs;
  // Only to be read: the upper directory is one more layer, and nothing of it changes.
  if (!write) return { lower: [upper, ...lower], ...shared };
  return { lower, upper: { directory: upper, work }, ...shared };
}

/** Of its snapshot, as the container's init mounts it. @throws conflict: there is none */
export async function rootfsOf(host: Host, record: ContainerRecord): Promise<Rootfs> {
  const rootfs = (await host.snapshotsOf(record.driver)).rootfs(record.id, record.chain, {});
  if (existsSync(rootfs.type === "bind" ? rootfs.source : rootfs.upper)) return rootfs;
  const why = `container ${record.name} has no files of its own yet: start it first`;
  throw new RtError("conflict", why, { exitCode: 1 });
}

function volumesOf(record: ContainerRecord): { path: string; from: string; readonly: boolean }[] {
  return record.mounts
    .filter(({ type }) => type !== "tmpfs")
    .map(({ destination, source, readonly }) => ({ path: destination, from: source, readonly }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
