import { abortable } from "../../base/abort.ts";
import { RtError } from "../../base/errors.ts";
import type { TagRecord } from "../../image/image-store.ts";
import type { ImageRecord } from "../../image/record.ts";
import { cancelled, type LayerPlan } from "../../image/transfer.ts";
import { chainIDs, type Digest } from "../../oci/digest.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import type { ResolvedImage, Source } from "../../source/source.ts";
import { keepReserve } from "../../store/reserve.ts";
import { collect, protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { recordImage } from "./record.ts";
import { bringLayers, planLayers, type UnpackOptions } from "./unpack.ts";

export interface BringOptions extends UnpackOptions {
  /** "linux/arm64"; this machine's unless given. */
  platform?: string | undefined;
  /** Of what fails nothing is kept for another attempt: its source is here, and gives all of it again. */
  keepsNothing?: boolean;
}

export interface Brought {
  image: ImageRecord;
  /** What the name led to at the source: an index, or a manifest. */
  target: Digest;
  /** Was anything of it new? */
  changed: boolean;
}

/**
 * From a source into the store: documents, layers, and then the row that makes it an image. Either the whole image is there
 * afterwards, or nothing of it can be seen.
 * @param tagsOf what it is to be called, once it is known what the source's name led to
 */
export async function bringImage(
  host: Host,
  source: Source,
  tagsOf: (target: Digest) => TagRecord[],
  options: BringOptions = {},
): Promise<Brought> {
  const wanted = await resolve(source, options);
  try {
    return await storeImage(host, source, wanted, tagsOf, options);
  } catch (error) {
    // What contradicts itself is of no use to a later pull, so nothing of it is kept as a broken transfer would be.
    if (options.keepsNothing || (error instanceof RtError && error.code === "data-loss"))
      await collect(host, { released: wanted.items });
    // A full disk needs the room of what has half arrived more than a later pull needs the bytes.
    else if (error instanceof RtError && error.code === "exhausted")
      (await host.content()).collectIngests(Date.now(), (blob) => wanted.items.includes(blob));
    throw error;
  }
}

/** What a name led to, before any layer was asked for. */
interface WantedImage {
  found: ResolvedImage;
  plan: LayerPlan[];
  /** Digests of all blobs, and chainIDs: top layers first. */
  items: string[];
}

async function resolve(source: Source, options: BringOptions): Promise<WantedImage> {
  const platform = options.platform ? parsePlatform(options.platform, hostPlatform()) : hostPlatform();
  const asked = source.resolve(platform);
  const found = await (options.signal ? abortable(asked, options.signal, () => cancelled()) : asked);
  const { layers } = found.manifest;
  const diffIDs = found.config.rootfs.diff_ids;
  const chain = chainIDs(diffIDs);
  const blobs = [...found.documents, ...layers].map(({ digest }) => digest);
  return {
    found,
    plan: planLayers({ layers, diffIDs, chain }),
    items: [...chain.toReversed(), ...blobs],
  };
}

async function storeImage(
  host: Host,
  source: Source,
  { found, plan, items }: WantedImage,
  tagsOf: (target: Digest) => TagRecord[],
  options: BringOptions,
): Promise<Brought> {
  using _ = await protect(host, items, options.signal);
  const content = await host.content();
  for (const { digest, bytes } of found.documents) await content.put(digest, bytes);
  await bringLayers(host, source, plan, options);
  content.sync();
  const { target } = found;
  const recorded = await recordImage(host, found, plan, tagsOf(target));
  keepReserve(host.paths.root);
  return { ...recorded, target };
}
