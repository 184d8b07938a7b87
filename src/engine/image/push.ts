import type { SentImage } from "../../destination/destination.ts";
import { type SendProgress, sendImage } from "../../image/send.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { isNear } from "../../reference/kind.ts";
import { canonical, familiar, familiarName, parse, type Reference } from "../../reference/reference.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";
import { storedImage } from "./stored.ts";

export type { SendProgress } from "../../image/send.ts";

export interface PushOptions {
  /** As pull's sources: a registry's reference, "oci:DIR", …; where the image's own name leads unless it is given. */
  destination?: string | undefined;
  /** Only the image for it. */
  platform?: string | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
  onProgress?: ((progress: SendProgress) => void) | undefined;
}

/**
 * An image of the store to a destination, byte for byte as it is here, and of that only what is missing there.
 * @throws RtError of any class; one line
 */
export async function push(host: Host, text: string, options: PushOptions = {}): Promise<SentImage> {
  const { openDestination } = await import("../../destination/open.ts");
  const { source, needed, repositories } = await storedImage(host, text);
  const where = options.destination ?? canonical(parse(text));
  const name = destinationName(where, source.reference);
  using _ = await protect(host, needed, host.session.abort);
  await using destination = await openDestination(where, {
    config: await host.config(),
    env: host.env,
    caller: host.caller,
    warn: (line) => host.warn(line),
    ...(options.tlsVerify !== undefined && { tlsVerify: options.tlsVerify }),
  });
  const sent = await sendImage({
    source,
    destination,
    platform: options.platform ? parsePlatform(options.platform, hostPlatform()) : undefined,
    names: name ? [name] : [],
    elsewhere: repositories,
    onProgress: options.onProgress ?? (() => {}),
    signal: host.session.abort,
  });
  await destination.commit();
  if (name) imageEvent(host, "push", familiar(name), familiarName(name));
  return sent;
}

/** What the image is to be called where it goes. */
function destinationName(where: string, own: string): Reference | undefined {
  const text = isNear(where) ? own : where;
  return text === "" ? undefined : parse(text);
}
