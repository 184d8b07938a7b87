import { LayerStore } from "../../image/layer-store.ts";
import { leasedItems } from "../../store/leases.ts";
import { chainsOfContainers, driversHere, pushedAge_ms, treeBytes, uploadAge_ms } from "../care/collect.ts";
import type { Host } from "../host.ts";

export interface StoreUsage {
  /** Bytes of what images and containers need, each blob and each unpacked layer once; and those that images alone need. */
  size: number;
  reclaimable: number;
  /** By image: its own, and of these what another image has too. */
  images: Map<string, { size: number; shared: number }>;
  /** What no image needs; `active` of these stay: a running command is at work on them, or a repository or a list has them. */
  leftovers: { count: number; active: number; size: number; reclaimable: number };
}

/** What the blobs and snapshots of the store take of the disk, and who needs them: by the rules that collection goes by. */
export async function storeUsage(host: Host): Promise<StoreUsage> {
  const onDisk = await itemsOnDisk(host);
  const bytes = (item: string) => onDisk.get(item) ?? 0;
  const needs = host.images.needs();
  const uses = new Map<string, number>();
  for (const { item } of needs) uses.set(item, (uses.get(item) ?? 0) + 1);
  const isHeld = heldByContainers(host, needs);
  const leased = host.database.transaction(() => leasedItems(host.database));
  const now = Date.now();
  const kept = new Set(new LayerStore(host.database).needed(now - pushedAge_ms));
  const usage: StoreUsage = {
    ...{ size: 0, reclaimable: 0, images: new Map() },
    leftovers: { count: 0, active: 0, size: 0, reclaimable: 0 },
  };
  for (const { image, item } of needs) {
    const own = usage.images.get(image) ?? { size: 0, shared: 0 };
    const shared = uses.get(item)! > 1 ? bytes(item) : 0;
    usage.images.set(image, { size: own.size + bytes(item), shared: own.shared + shared });
  }
  for (const [item, size] of onDisk) {
    const stays = isHeld(item) || leased.has(item) || (kept.has(item) && !uses.has(item));
    const free = stays ? 0 : size;
    if (uses.has(item) || isHeld(item)) {
      usage.size += size;
      usage.reclaimable += free;
    } else addLeftover(usage.leftovers, size, free);
  }
  const content = await host.content();
  for (const { digest, bytes: size } of content.ingests())
    addLeftover(usage.leftovers, size, leased.has(digest) ? 0 : size);
  for (const { bytes: size, modified_ms } of content.uploads())
    addLeftover(usage.leftovers, size, modified_ms > now - uploadAge_ms ? 0 : size);
  return usage;
}

function addLeftover(leftovers: StoreUsage["leftovers"], size: number, free: number): void {
  leftovers.count++;
  leftovers.size += size;
  leftovers.reclaimable += free;
  if (free < size) leftovers.active++;
}

/** Where nobody knows what one of them needs, that may be anything. */
function heldByContainers(host: Host, needs: ReturnType<Host["images"]["needs"]>): (item: string) => boolean {
  const users = host.images.users();
  const { chains, unknown } = chainsOfContainers(host);
  const own = needs.flatMap(({ image, item }) => (users.has(image) ? [item] : []));
  const held = new Set([...own, ...chains]);
  return (item) => unknown || held.has(item);
}

/** Digests of blobs, and chainIDs of what any driver has unpacked. */
async function itemsOnDisk(host: Host): Promise<Map<string, number>> {
  const content = await host.content();
  const found = new Map<string, number>(content.list().map((blob) => [blob, content.usage(blob)]));
  for (const driver of await driversHere(host)) {
    for (const chain of driver.list().committed)
      found.set(chain, (found.get(chain) ?? 0) + (await treeBytes(driver.treeOf(chain))));
  }
  return found;
}
