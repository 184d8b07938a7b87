import { RtError } from "../../base/errors.ts";
import type { BlobRecord, ImageRecord } from "../../image/record.ts";
import {
  type LayerPlan,
  type LayerProgress,
  type LayerSource,
  transferLayers,
} from "../../image/transfer.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Shortfall } from "../../snapshot/snapshot.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";

export interface UnpackOptions {
  onProgress?: ((progress: LayerProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** No honest layer is larger, and a bomb of this size still fits few disks: then it ends with that. */
export const defaultLayerSizeMax = 64 * 1024 ** 3;

/** Layers, their diffIDs and chainIDs, each bottom first. */
export interface LayerList {
  layers: readonly BlobRecord[];
  diffIDs: readonly Digest[];
  chain: readonly Digest[];
}

export function planLayers({ layers, diffIDs, chain }: LayerList): LayerPlan[] {
  return layers.map((descriptor, index) => ({
    descriptor,
    diffID: diffIDs[index]!,
    chain: chain[index]!,
    parents: chain.slice(0, index),
  }));
}

/** Fetch what is missing of the layers, unpack it with the driver in use, and put each on record. */
export async function bringLayers(
  host: Host,
  source: LayerSource,
  layers: readonly LayerPlan[],
  { onProgress, signal }: UnpackOptions = {},
): Promise<void> {
  const driver = await host.snapshots();
  const said = new Set<string>();
  const missing: Shortfall = { devices: 0, owners: 0 };
  await transferLayers({
    content: await host.content(),
    driver,
    source,
    layers,
    known: ({ chain }) => host.images.layer(chain, driver.name)?.size,
    onUnpacked: ({ chain, parents, diffID, descriptor }, { size, shortfall }) => {
      missing.devices += shortfall?.devices ?? 0;
      missing.owners += shortfall?.owners ?? 0;
      const parent = parents.at(-1) ?? null;
      const layer = { chain, driver: driver.name, diff: diffID, parent, blob: descriptor.digest, size };
      host.images.putLayer(layer);
    },
    onProgress: onProgress ?? (() => {}),
    layerSizeMax: (await host.config()).maxLayerSize ?? defaultLayerSizeMax,
    onWait: (what) => {
      if (said.has(what)) return;
      said.add(what);
      host.warn(`waiting for another rt that is at work on ${what}`);
    },
    signal: signal ?? new AbortController().signal,
  });
  warnOfShortfall(host, missing);
}

/** Once for all layers. */
function warnOfShortfall(host: Host, { devices, owners }: Shortfall): void {
  if (devices > 0)
    host.warn(
      `${devices} device ${devices === 1 ? "node is" : "nodes are"} left out: an ordinary user can make none (--device gives a container the host's)`,
    );
  if (owners > 0)
    host.warn(
      `the file system of ${host.paths.root} keeps no attributes: of ${owners} files nobody will know that they were not root's`,
    );
}

/** Unpack an image with the driver in use, from the blobs that are here. @returns false when some are not */
export async function unpackHere(host: Host, image: ImageRecord): Promise<boolean> {
  const content = await host.content();
  if (!image.layers.every(({ digest }) => content.has(digest))) return false;
  using _ = await protect(host, [...image.chain, ...image.layers.map(({ digest }) => digest)]);
  await bringLayers(host, storedBlobs(image), planLayers(image));
  const { name } = await host.snapshots();
  const size = image.chain.reduce((sum, chain) => sum + (host.images.layer(chain, name)?.size ?? 0), 0);
  // Of one that was pushed here nobody knew it before.
  if (size !== image.size) host.images.put({ record: { ...image, size }, tags: [], blobs: [] });
  return true;
}

/** The source of what is here already: it is never asked for bytes. */
function storedBlobs(image: ImageRecord): LayerSource {
  return {
    // biome-ignore lint/correctness/useYield: it has nothing to give
    fetch: async function* () {
      throw new RtError("not-found", `a layer of image ${image.id} is no longer here: pull it again`);
    },
  };
}
