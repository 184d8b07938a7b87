import { existsSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { codeOfErrno, RtError } from "../../base/errors.ts";
import { errnoTexts } from "../../base/linux.ts";
import { mountedFile } from "../../container/mounted-file.ts";
import { isContainerId } from "../../container/stored-container.ts";
import { FileLock } from "../../content/file-lock.ts";
import { mountOnHost } from "../../layer/mount.ts";
import { isMountPoint, unmountAll } from "../../runtime/mount-point.ts";
import type { Mount } from "../../settings/container-settings.ts";
import { addressIn, type LocalMount, localMountOf, mountFailure } from "../../settings/local-volume.ts";
import { volumeDirectory } from "../../volume/directory.ts";
import { optionsFile, readVolumeOptions } from "../../volume/options-file.ts";
import type { Host } from "../host.ts";

/**
 * Volumes with a file system of their own (`volume create -o type=… -o device=…`), which is mounted at the volume's directory on
 * the host while somebody uses it: all containers take it from there, and see the same.
 *
 *   who starts                                   who ends, or cleans up after who was killed
 *   ----------                                   -------------------------------------------
 *   its state directory is there                 the state directory is moved away
 *   `mounted` in it: the volumes' names          for each name in its `mounted`:
 *   lock of opts.json                              lock of opts.json
 *   mounted already? else mount(2)                 a state directory of a container that has it, or a lease? else umount2(2)
 *   unlock                                         unlock
 *
 * So nothing is unmounted that anybody is about to use; and as state directories are what each command looks at, a mount that
 * was left by the dead goes with the next one.
 */

interface OwnVolume {
  name: string;
  /** Its directory. */
  source: string;
  mount: LocalMount;
}

/**
 * @param directory the state directory of whoever uses them
 * @returns whether there are any
 * @throws RtError in Docker's words
 */
export async function mountVolumes(
  host: Host,
  mounts: readonly Mount[],
  directory: string,
): Promise<boolean> {
  const wanted = mounts.flatMap(withOwn);
  if (wanted.length === 0) return false;
  writeFileSync(join(directory, mountedFile), wanted.map(({ name }) => `${name}\n`).join(""));
  for (const each of wanted) await mountOne(host, each);
  return true;
}

export function hasOwn(mount: Mount): boolean {
  return withOwn(mount).length > 0;
}

function withOwn({ type, name, source }: Mount): OwnVolume[] {
  if (type !== "volume" || name === undefined) return [];
  const mount = localMountOf(readVolumeOptions(source) ?? {});
  return mount ? [{ name, source, mount }] : [];
}

async function mountOne(host: Host, { source, mount }: OwnVolume): Promise<void> {
  const { abort } = host.session;
  using _ = await FileLock.acquire(optionsFile(source), { signal: abort });
  if (isMountPoint(source)) return;
  const known = await resolved(mount, source);
  const errno = await mountOnHost({ at: source, ...known }, abort);
  if (errno === undefined) return;
  throw failure(source, mountFailure(known, source, errnoTexts[errno] ?? errno), codeOfErrno(errno));
}

function failure(source: string, why: string, code: RtError["code"]): RtError {
  return new RtError(code, `error while mounting volume '${source}': ${why}`);
}

/** The kernel wants addresses of network file systems, people write names. */
async function resolved(mount: LocalMount, source: string): Promise<LocalMount> {
  if (mount.type !== "nfs" && mount.type !== "nfs4" && mount.type !== "cifs") return mount;
  const name = addressIn(mount.data);
  if (name !== undefined) {
    const address = await addressOf(name, source);
    return { ...mount, data: mount.data.replace(`addr=${name}`, `addr=${address}`) };
  }
  const host = mount.type === "cifs" ? /^\/\/([^/]+)\//.exec(mount.device)?.[1] : undefined;
  if (host === undefined) return mount;
  return { ...mount, device: mount.device.replace(host, await addressOf(host, source)) };
}

async function addressOf(name: string, source: string): Promise<string> {
  if (isIP(name) !== 0) return name;
  const { lookup } = await import("node:dns/promises");
  try {
    const found = await lookup(name, { all: true });
    const first = found.find(({ family }) => family === 4) ?? found[0];
    if (first) return first.address;
  } catch {
    // What the resolver says of it differs from host to host.
  }
  const why = `error resolving passed in network volume address: lookup ${name}: no such host`;
  throw failure(source, why, "unavailable");
}

/** Whoever holds the lock longer is mounting it, and is a user. */
const patience_ms = 5000;

/** Unmount those that nobody uses any more. */
export async function releaseVolumes(host: Host, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const source = volumeDirectory(host.paths.root, name);
    if (!isMountPoint(source)) continue;
    using lock = await lockSoon(source);
    if (!lock) continue;
    const isActive = (id: string) => isContainerId(id) && existsSync(host.stateOf(id));
    if (!(await host.volumes()).isNeeded(name, isActive)) unmountAll(source);
  }
}

async function lockSoon(source: string): Promise<FileLock | undefined> {
  try {
    return await FileLock.acquire(optionsFile(source), { signal: AbortSignal.timeout(patience_ms) });
  } catch (error) {
    if (error instanceof RtError && error.code === "cancelled") return undefined;
    throw error;
  }
}
