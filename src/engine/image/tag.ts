import { familiar, parse } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";

/**
 * More names for an image that is here; each is taken from whatever had it.
 * @throws RtError not-found | invalid-argument; then nothing was done
 */
export async function tagImage(host: Host, source: string, targets: readonly string[]): Promise<void> {
  const names = targets.map(parse);
  const id = host.images.tag(await host.localName(source), names);
  for (const name of names) imageEvent(host, "tag", id, familiar(name));
}

/**
 * Podman's `untag`: some of its names less, or all that there are. The image stays.
 * @throws RtError not-found: the image, or a name that is none of its; invalid-argument. Then nothing was done
 */
export async function untagImage(host: Host, text: string, names: readonly string[]): Promise<void> {
  const { image, untagged } = host.images.untag(await host.localName(text), names.map(parse));
  for (const name of untagged) imageEvent(host, "untag", image, name);
}
