import { parseImageConfig } from "../../oci/image-config.ts";
import { parseDocument, requireImage } from "../../oci/manifest.ts";
import { formatPlatform } from "../../oci/platform.ts";
import { PeerSource } from "../../source/peer.ts";
import { checkBytes } from "../../source/resolve.ts";
import type { Source } from "../../source/source.ts";
import { collectRarely } from "../care/collect.ts";
import { keepWithinLimit } from "../care/limit.ts";
import type { Host } from "../host.ts";
import { pullFrom } from "../image/pull.ts";
import { callerChannel, tellingFailure } from "./peer.ts";

/**
 * The far end of `rt push IMAGE ssh://HOST`: a pull, whose source is at the caller's stdin and stdout.
 * @returns the exit status: what fails is told to the other side
 */
export async function receiveFromPeer(host: Host): Promise<number> {
  const channel = await callerChannel(host, "take");
  return tellingFailure(channel, async () => {
    const source = await PeerSource.given(channel);
    const { image, target } = await pullFrom(host, source, {
      platform: await platformOf(source),
      signal: host.session.abort,
      onProgress: ({ layer, status }) => {
        if (status === "exists") source.have(layer);
      },
    });
    // Who called may end us as soon as it is done.
    await keepWithinLimit(host, [image.id]);
    await collectRarely(host);
    await source.done(target);
  });
}

/** Who sends one image means that one, whatever this machine is; of several it gets its own. */
async function platformOf(source: Source): Promise<string | undefined> {
  const root = await source.root();
  const what = `the manifest of ${source.name}`;
  const document = parseDocument(root.bytes, root.contentType, what);
  if (document.kind === "index") return undefined;
  requireImage(document, source.name);
  const { bytes } = await source.document(document.config);
  checkBytes(bytes, document.config, "config", source.name);
  const { architecture, ...config } = parseImageConfig(bytes, `the config of ${source.name}`);
  return architecture === "" ? undefined : formatPlatform({ ...config, architecture });
}
