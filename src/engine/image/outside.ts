import { isBuilt } from "../../base/build-info.ts";
import { RtError } from "../../base/errors.ts";
import type { Destination } from "../../destination/destination.ts";
import { type SendProgress, sendImage } from "../../image/send.ts";
import type { LayerProgress } from "../../image/transfer.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { Channel, type PeerRole } from "../../peer/channel.ts";
import { openChild } from "../../peer/child.ts";
import { patienceOf } from "../../peer/ssh.ts";
import { canonical, parse } from "../../reference/reference.ts";
import { PeerSource } from "../../source/peer.ts";
import type { Source } from "../../source/source.ts";
import type { Host } from "../host.ts";
import type { BringOptions, Brought } from "./bring.ts";

/**
 * Is this an ordinary user's command that has stayed outside of his namespace, where ssh is his own? Its store is in there, so
 * a child of ours goes in, and is spoken to as another host's rt would be:
 *
 *   rt push IMAGE ssh://box:   rt system send ──> this command ──> ssh box rt system receive
 */
export function isOutside(): boolean {
  return process.geteuid?.() !== 0;
}

/** An image of his store. */
export async function ownImage(host: Host, text: string) {
  const channel = await ownChannel(host, "take");
  try {
    return {
      source: await PeerSource.asked(channel, text, text, "its own"),
      needed: [],
      repositories: () => [],
    };
  } catch (error) {
    await channel.close(false);
    throw error;
  }
}

/** What `bringImage` does, into his store. */
export async function pullFromOutside(
  host: Host,
  source: Source,
  { platform: asked, onProgress }: BringOptions,
): Promise<Brought> {
  const platform = asked ? parsePlatform(asked, hostPlatform()) : hostPlatform();
  const { target } = await source.resolve(platform);
  const name = parse(source.reference);
  const before = host.images.find(source.reference);
  const { PeerDestination } = await import("../../destination/peer.ts");
  const channel = await ownChannel(host, "give");
  await using destination: Destination = new PeerDestination(channel, { name: "the store", called: name });
  const { digest } = await sendImage({
    source,
    destination,
    platform: asked ? platform : undefined,
    names: [name],
    onProgress: (progress) => onProgress?.(layerProgress(progress)),
    signal: host.session.abort,
  });
  await destination.commit();
  // By a digest it is called what has come: with `asked`, the manifest.
  const { record: image } = host.images.get(canonical(name.digest ? { ...name, digest } : name));
  return { image, target, changed: before?.id !== image.id };
}

/** @param role ours */
async function ownChannel(host: Host, role: PeerRole): Promise<Channel> {
  if (!isBuilt)
    throw new RtError("unsupported", "ssh:// needs rt as one file: run from source, it is root's alone");
  const { root, state } = host.paths;
  const verb = role === "give" ? "receive" : "send";
  const pipe = openChild({
    argv: ["/proc/self/exe", "system", verb, "--root", root, "--state", state, ...host.configWords],
    env: { ...host.caller.all(), RT_APP: "0" },
    who: "",
    explain: (_, line) =>
      new RtError("unavailable", line.replace(/^rt: /, "") || "rt's other half has ended early"),
    warn: (line) => host.warn(line.replace(/^rt: /, "")),
  });
  const patience_ms = patienceOf(await host.config());
  return Channel.open(pipe, { who: "", role, patience_ms, signal: host.session.abort });
}

const statuses: Readonly<Record<SendProgress["status"], LayerProgress["status"]>> = {
  preparing: "waiting",
  waiting: "waiting",
  sending: "downloading",
  sent: "done",
  mounted: "exists",
  exists: "exists",
};

function layerProgress({ layer, status, current, total }: SendProgress): LayerProgress {
  return { layer, status: statuses[status], current, total };
}
