import { RtError } from "../../base/errors.ts";
import { PeerDestination } from "../../destination/peer.ts";
import { sendImage } from "../../image/send.ts";
import { stringIn } from "../../oci/json.ts";
import type { Channel } from "../../peer/channel.ts";
import { fieldsOf } from "../../peer/frames.ts";
import { parse } from "../../reference/reference.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { storedImage } from "../image/stored.ts";
import { callerChannel, tellingFailure } from "./peer.ts";

/**
 * The far end of `rt pull ssh://HOST/IMAGE`: a push, whose destination is at the caller's stdin and stdout.
 * @returns the exit status: what fails is told to the other side
 */
export async function sendToPeer(host: Host): Promise<number> {
  const channel = await callerChannel(host, "give");
  return tellingFailure(channel, async () => {
    const { source, needed } = await storedImage(host, await askedOf(channel));
    using _ = await protect(host, needed, host.session.abort);
    const destination = new PeerDestination(channel, { name: "the other side", mayLeave: true });
    const { abort } = host.session;
    const names = source.reference === "" ? [] : [parse(source.reference)];
    await sendImage({ source, destination, platform: undefined, names, onProgress: () => {}, signal: abort });
    await destination.commit();
  });
}

async function askedOf(channel: Channel): Promise<string> {
  const frame = await channel.receive();
  if (frame.kind !== "ask") throw channel.unexpected(frame);
  const image = stringIn(fieldsOf(frame, channel.who)("image") ?? "", "ask.image");
  if (image === "") throw new RtError("invalid-argument", "no image was asked for");
  return image;
}
