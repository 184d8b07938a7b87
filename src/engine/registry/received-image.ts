import { RtError } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content-store.ts";
import { digestName } from "../../image/image-store.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { chainIDs, type Digest } from "../../oci/digest.ts";
import type { RawDocument } from "../../oci/manifest.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { parse } from "../../reference/reference.ts";
import { resolveImage } from "../../source/resolve.ts";
import type { ResolvedImage } from "../../source/source.ts";
import type { Host } from "../host.ts";
import { recordImage } from "../image/record.ts";
import { planLayers } from "../image/unpack.ts";

/**
 * What was pushed as an image here, where it is one for this machine and all of it is here. Nothing is unpacked: `rt run` does
 * that with the first container, from the blobs.
 * @param name "docker.io/team/web:2"
 * @param isHere is this layer one of the repository it was pushed to?
 * @returns its ID; undefined of what is none: an artifact, an image for other machines, one that contradicts itself
 */
export async function receiveImage(
  host: Host,
  name: string,
  root: RawDocument,
  isHere: (layer: Descriptor) => boolean,
): Promise<Digest | undefined> {
  const content = await host.content();
  const found = await resolved(content, name, root);
  if (!found?.manifest.layers.every(isHere)) return undefined;
  const { layers } = found.manifest;
  const diffIDs = found.config.rootfs.diff_ids;
  const plan = planLayers({ layers, diffIDs, chain: chainIDs(diffIDs) });
  const { image } = await recordImage(host, found, plan, [
    { name, target: found.target },
    { name: digestName(parse(name), found.target), target: found.target },
  ]);
  return image.id;
}

async function resolved(
  content: ContentStore,
  name: string,
  root: RawDocument,
): Promise<ResolvedImage | undefined> {
  try {
    const document = async (entry: Descriptor) => {
      return { bytes: content.read(entry.digest), contentType: entry.mediaType };
    };
    const fetch = async function* ({ digest, size }: Descriptor) {
      yield content.read(digest, size);
    };
    return await resolveImage({ name, fetch }, root, document, hostPlatform());
  } catch (error) {
    if (error instanceof RtError && error.code !== "internal") return undefined;
    throw error;
  }
}
