import { type ImageInspect, imageInspect } from "../../docker/image-inspect.ts";
import { familiar } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";

/** `docker image inspect`'s object. @throws not-found */
export async function inspectImage(host: Host, name: string): Promise<ImageInspect> {
  const image = host.images.get(await host.localName(name));
  const facts = { id: image.id, tags: image.tags.map(familiar), digests: image.digests.map(familiar) };
  const record = readable(host, image);
  return imageInspect(facts, record && { ...record, driver: (await host.snapshots()).name });
}
