import { readdirSync, statSync, unlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError, withCause } from "../../base/errors.ts";
import { recordOf } from "../../container/stored-container.ts";
import type { ContentStore } from "../../content/content-store.ts";
import { FileLock } from "../../content/file-lock.ts";
import { LayerStore } from "../../image/layer-store.ts";
import { RepositoryStore } from "../../image/repository-store.ts";
import { treeUsage } from "../../layer/tree.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { isLocked } from "../../runtime/lock.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { acquireLease, type Lease, leasedItems } from "../../store/leases.ts";
import type { Host } from "../host.ts";

/**
 * Collection: what no image, no container and no running command needs is removed.
 *
 *   a command that adds          collection
 *   ------------------           ----------
 *   shared lock                  exclusive lock: no lease begins meanwhile, so what was unneeded stays unneeded
 *   lease on blobs, chainIDs     needed = images + repositories + containers + leases of the living
 *   unlock                       remove the rest
 *   look what is there, …        unlock
 *   image row, lease ends
 *
 * Complete blobs and snapshots of a pull that broke off are kept for a day, so that the next attempt goes on from there;
 * what a removed image has just released goes at once.
 */
export interface Collected {
  /** chainIDs of removed snapshots, upper layers first. */
  snapshots: Digest[];
  blobs: Digest[];
  /** Of the disk, that are free now: of blobs, of what was left of transfers, and of snapshots where they were measured. */
  bytes: number;
}

export interface CollectOptions {
  /** Blobs and chainIDs to remove however young they are. */
  released?: Iterable<string>;
  /** All that nobody needs goes, however young it is. */
  all?: boolean;
  /** Snapshots are walked before they go, to know what they take. */
  measure?: boolean;
  now?: number;
}

interface Collecting {
  /** Unneeded, and not only for want of time. */
  isReleased: (item: string) => boolean;
  released: ReadonlySet<string>;
  measure: boolean;
  now: number;
}

/** So long what nobody needs is kept. */
export const graceTime_ms = 24 * 3600 * 1000;
/** Where all goes that nobody needs: an upload that has brought nothing for so long, and a blob that was pushed so long ago. */
export const uploadAge_ms = 10 * 60 * 1000;
export const pushedAge_ms = 3600 * 1000;
const draftAge_ms = 3600 * 1000;

/** Keep `items` (digests of blobs, chainIDs) until the lease ends. To be taken before looking whether they are there. */
export async function protect(host: Host, items: readonly string[], signal?: AbortSignal): Promise<Lease> {
  const database = host.database;
  using _ = await FileLock.acquire(lockPath(host), {
    mode: "shared",
    ...(signal && { signal }),
    onWait: () => host.warn("waiting for another rt that removes unused data"),
  });
  return acquireLease(database, items);
}

/**
 * `collect` once a day, for what broke off and nobody went on with. By the lock file's mtime, so it costs a stat(2) where
 * there is nothing to do; and never waits for others, who can do it next time.
 */
export async function collectRarely(host: Host, now = Date.now()): Promise<void> {
  const path = lockPath(host);
  if (now - modified(path, now) < graceTime_ms) return;
  using lock = FileLock.try(path);
  if (!lock) return;
  utimesSync(path, now / 1000, now / 1000);
  await collectLocked(host, { now });
  for (const driver of await driversHere(host)) await driver.sync();
}

export async function collect(host: Host, options: CollectOptions = {}): Promise<Collected> {
  host.database; // Makes the directory of the lock.
  using _ = await FileLock.acquire(lockPath(host), {
    onWait: () => host.warn("waiting for another rt that uses the store"),
  });
  return await collectLocked(host, options);
}

async function collectLocked(host: Host, options: CollectOptions): Promise<Collected> {
  const { all = false, measure = false, now = Date.now() } = options;
  const rows = new RepositoryStore(host.database);
  const released = new Set([...(options.released ?? []), ...rows.forgetParts()]);
  const pushedSince = now - (all ? pushedAge_ms : graceTime_ms);
  const { items: needed, unknown } = host.database.transaction(() => neededItems(host, pushedSince));
  const isReleased = (item: string) => released.has(item) || (all && !needed.has(item));
  const how: Collecting = { isReleased, released, measure, now };
  const snapshots = new Set<Digest>();
  let bytes = 0;
  for (const driver of await driversHere(host)) {
    await removeStrayTops(host, driver);
    if (unknown) continue;
    const gone = await collectSnapshots(host, driver, needed, how);
    for (const chain of gone.chains) snapshots.add(chain);
    bytes += gone.bytes;
  }
  const content = await host.content();
  bytes += content.collectIngests(now, isReleased);
  bytes += collectUploads(content, rows, now - (all ? uploadAge_ms : graceTime_ms));
  const blobs = content.list().filter((blob) => {
    if (needed.has(blob)) return false;
    return isReleased(blob) || now - modified(content.path(blob)) > graceTime_ms;
  });
  for (const blob of blobs) bytes += content.remove(blob);
  layersOf(host).forgetUnneededBlobs();
  rows.forgetBlobs(pushedSince);
  removeDrafts(host, now);
  return { snapshots: [...snapshots], blobs, bytes };
}

/** The rows of those that are gone too; one that somebody writes to stays, however long he takes. */
function collectUploads(content: ContentStore, rows: RepositoryStore, since: number): number {
  const gone = content.collectUploads(since);
  for (const { id } of gone) rows.removeUpload(id);
  for (const { id, used } of rows.uploads())
    if (used <= since && content.uploadSize(id) === undefined) rows.removeUpload(id);
  return gone.reduce((sum, { bytes }) => sum + bytes, 0);
}

function layersOf(host: Host): LayerStore {
  return new LayerStore(host.database);
}

function lockPath(host: Host): string {
  return join(host.paths.root, "collect.lock");
}

/** @param pushedSince what was pushed since is needed, though no manifest names it yet */
function neededItems(host: Host, pushedSince: number): { items: Set<string>; unknown: boolean } {
  const { chains, unknown } = chainsOfContainers(host);
  const needed = layersOf(host).needed(pushedSince);
  return { items: new Set([...leasedItems(host.database), ...needed, ...chains]), unknown };
}

/**
 * A container needs what its image does; besides that, what of others is mounted in it, and where its image was forced away what
 * its record says. `unknown`: one of those is damaged, and its layers may be any.
 */
export function chainsOfContainers(host: Host): { chains: string[]; unknown: boolean } {
  const records = host.containers.ofGoneImages().map(recordOf);
  const mounted = host.containers.mountedLayers();
  const chains = [...records.flatMap((record) => record?.chain ?? []), ...(mounted ?? [])];
  return { chains, unknown: mounted === undefined || records.includes(undefined) };
}

/** The driver in use, and those that were used before: their snapshots are garbage by the same rule. */
export async function driversHere(host: Host): Promise<SnapshotDriver[]> {
  const own = await host.snapshots();
  const others = layersOf(host)
    .drivers()
    .filter((driver) => driver !== own.name);
  return [own, ...(await Promise.all(others.map((driver) => host.snapshotsOf(driver))))];
}

/** Writable tops of containers that are no more. Without a row it may be being made: whoever makes it holds its lock. */
async function removeStrayTops(host: Host, driver: SnapshotDriver): Promise<void> {
  const known = new Set(host.containers.ids());
  for (const key of driver.list().active) {
    if (!known.has(key) && !isLocked(join(host.stateOf(key), "lock"))) await driver.removeActive(key);
  }
}

async function collectSnapshots(
  host: Host,
  driver: SnapshotDriver,
  needed: ReadonlySet<string>,
  { isReleased, released, measure, now }: Collecting,
): Promise<{ chains: Digest[]; bytes: number }> {
  const made = layersOf(host).madeBy(driver.name);
  // A snapshot without a row was committed by somebody who died right then: its size is unknown, so it is of no use.
  const old = (chain: Digest) => now - (made.get(chain) ?? 0) > graceTime_ms;
  const unneeded = driver
    .list()
    .committed.filter((chain) => !needed.has(chain) && (isReleased(chain) || old(chain)));
  const order = new Map([...released].map((item, index) => [item, index]));
  unneeded.sort((a, b) => (order.get(a) ?? order.size) - (order.get(b) ?? order.size));
  let bytes = 0;
  for (const chain of unneeded) {
    if (measure) bytes += await treeBytes(driver.treeOf(chain));
    // The row first: a row without its snapshot would be believed.
    layersOf(host).remove(chain, driver.name);
    await driver.removeCommitted(chain);
  }
  return { chains: unneeded.filter(isDigest), bytes };
}

/** Of the disk. A tree that is just going has none. */
export async function treeBytes(path: string): Promise<number> {
  try {
    return (await treeUsage(path)).bytes;
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return 0;
  }
}

function modified(path: string, otherwise = 0): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? otherwise;
}

/** Databases that somebody began to make and did not live to publish. */
function removeDrafts(host: Host, now: number): void {
  for (const name of readdirSync(host.paths.root)) {
    const path = join(host.paths.root, name);
    if (!name.startsWith("db.sqlite.new-") || now - modified(path) < draftAge_ms) continue;
    try {
      unlinkSync(path);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw withCause(`cannot remove ${path}`, error);
    }
  }
}
