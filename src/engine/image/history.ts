import { type ImageHistoryItem, imageHistory } from "../../docker/image-history.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { familiar } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { checkPlatform, type PlatformOptions } from "./platform.ts";

/**
 * How an image was made, the last step first.
 * @throws RtError not-found: the image, or the platform; data-loss: its record or its config
 */
export async function imageHistoryOf(
  host: Host,
  text: string,
  { platform }: PlatformOptions = {},
): Promise<ImageHistoryItem[]> {
  const { id, record, tags } = host.images.get(await host.localName(text));
  checkPlatform(text, record, platform);
  const bytes = (await host.content()).read(record.configuration.digest);
  const { history } = parseImageConfig(bytes, `the config of ${id}`);
  const sizes = host.images.layerSizes(id);
  return imageHistory(
    { id, tags: tags.map(familiar) },
    history,
    record.chain.map((chain) => sizes.get(chain) ?? 0),
  );
}
