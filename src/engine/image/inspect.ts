import { RtError } from "../../base/errors.ts";
import { type ImageDescription, type ImageInspect, imageInspect } from "../../docker/image-inspect.ts";
import type { Image } from "../../image/image-store.ts";
import type { ImageRecord } from "../../image/record.ts";
import type { Digest } from "../../oci/digest.ts";
import { type ImageConfig, parseImageConfig } from "../../oci/image-config.ts";
import { canonical, familiar } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { checkPlatform, type PlatformOptions } from "./platform.ts";

/** `docker image inspect`'s object. @throws not-found */
export async function inspectImage(
  host: Host,
  text: string,
  { platform }: PlatformOptions = {},
): Promise<ImageInspect> {
  const name = await host.localName(text);
  const image = host.images.get(name);
  const facts = { id: image.id, tags: image.tags.map(familiar), digests: image.digests.map(familiar) };
  const record = readable(host, image);
  if (!record) return imageInspect(facts, undefined);
  checkPlatform(text, record, platform);
  return imageInspect(facts, await describe(host, image, record, targetOf(host, image, name)));
}

/** What the name leads to; of an id, what a name of it does. */
function targetOf(host: Host, { tags, digests, targets, record }: Image, name: string): Digest {
  const known = host.images.nameFor(name) ?? tags[0] ?? digests[0];
  return (known && targets.get(canonical(known))) ?? record.manifest.digest;
}

async function describe(
  host: Host,
  { id }: Image,
  record: ImageRecord,
  target: Digest,
): Promise<ImageDescription> {
  const document = await configOf(host, record);
  const said = document?.comment ?? document?.history.at(-1)?.comment;
  const driver = await host.snapshots();
  const version = document?.["os.version"];
  return {
    ...record,
    comment: record.comment ?? said ?? "",
    dockerVersion: document?.docker_version ?? "",
    config: document?.config ?? record.config,
    platform: { ...record.platform, ...(version && { "os.version": version }) },
    driver: driver.name,
    layers: driver.name === "overlay" ? driver.layers(record.chain) : [],
    tagged: host.images.taggedAt(id),
    descriptor: host.images.blob(target) ?? record.manifest,
  };
}

/** Of what a record leaves out. Without it there is less to tell, and whoever asks is told why. */
async function configOf(host: Host, { id, configuration }: ImageRecord): Promise<ImageConfig | undefined> {
  try {
    return parseImageConfig((await host.content()).read(configuration.digest), `the config of ${id}`);
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    host.warn(error.message);
    return undefined;
  }
}
