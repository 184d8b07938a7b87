import { RtError } from "../../base/errors.ts";
import type { ImageRecord } from "../../image/record.ts";
import { cancelled, type LayerPlan } from "../../image/transfer.ts";
import { chainIDs, type Digest } from "../../oci/digest.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { familiar, familiarName, parse } from "../../reference/reference.ts";
import type { ResolvedImage, Source } from "../../source/source.ts";
import { keepReserve } from "../../store/reserve.ts";
import { collect, collectRarely, protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";
import { recordImage } from "./record.ts";
import { bringLayers, planLayers, type UnpackOptions } from "./unpack.ts";

export type { LayerProgress } from "../../image/transfer.ts";

/** When `signal` aborts, everything stops; what has arrived of layers is kept. */
export interface PullOptions extends UnpackOptions {
  /** "linux/arm64"; this machine's unless given. */
  platform?: string | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
}

export interface PullResult {
  image: ImageRecord;
  /** Canonical: "docker.io/library/alpine:3.20"; "embed:hello" as it is. */
  name: string;
  /** As people are shown it: "alpine:3.20". */
  familiar: string;
  /** What the name led to at the source: an index, or a manifest. */
  target: Digest;
  status: "downloaded" | "up-to-date";
}

/**
 * Bring an image here: `text` is a reference, or a file ("oci:DIR", "docker-archive:FILE", …; see reference/kind.ts).
 * Either the whole image is there afterwards, or nothing of it can be seen.
 * @throws RtError of any class; one line
 */
export async function pull(host: Host, text: string, options: PullOptions = {}): Promise<PullResult> {
  const { openSource } = await import("../../source/open.ts");
  const source = await openSource(text, {
    config: await host.config(),
    env: host.env,
    caller: host.caller,
    warn: (line) => host.warn(line),
    ...(options.tlsVerify !== undefined && { tlsVerify: options.tlsVerify }),
    ...(host.embedded && { embedded: host.embedded }),
  });
  const { abort } = host.session;
  try {
    const result = await pullFrom(host, source, { signal: abort, ...options });
    await collectRarely(host);
    return result;
  } catch (error) {
    throw abort.aborted ? pullInterrupted(error, abort.reason) : error;
  } finally {
    await source.close();
  }
}

/** `pull` from a source that is open already. */
export async function pullFrom(host: Host, source: Source, options: PullOptions = {}): Promise<PullResult> {
  const wanted = await resolve(source, options);
  try {
    return await bringImage(host, source, wanted, options);
  } catch (error) {
    // What contradicts itself is of no use to a later pull, so nothing of it is kept as a broken transfer would be.
    if (error instanceof RtError && error.code === "data-loss")
      await collect(host, { released: wanted.items });
    // A full disk needs the room of what has half arrived more than a later pull needs the bytes.
    if (error instanceof RtError && error.code === "exhausted")
      (await host.content()).collectIngests(Date.now(), new Set(wanted.items));
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

async function resolve(source: Source, options: PullOptions): Promise<WantedImage> {
  const platform = options.platform ? parsePlatform(options.platform, hostPlatform()) : hostPlatform();
  const found = await abortable(source.resolve(platform), options.signal);
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

async function bringImage(
  host: Host,
  source: Source,
  { found, plan, items }: WantedImage,
  options: PullOptions,
): Promise<PullResult> {
  using _ = await protect(host, items, options.signal);
  const content = await host.content();
  for (const { digest, bytes } of found.documents) await content.put(digest, bytes);
  await bringLayers(host, source, plan, options);
  content.sync();
  const { image, changed } = await recordImage(host, source, found, plan);
  keepReserve(host.paths.root);
  const name = parse(source.reference);
  imageEvent(host, "pull", familiar(name), familiarName(name));
  return {
    image,
    name: source.reference,
    familiar: familiar(name),
    target: found.target,
    status: changed ? "downloaded" : "up-to-date",
  };
}

/** What has arrived is kept; the status is that which the caller gave its reason. */
function pullInterrupted(cause: unknown, reason: unknown): RtError {
  const text = "pull interrupted; the next one goes on from here";
  return new RtError("cancelled", text, { cause, ...(reason instanceof RtError && reason) });
}

/** The answer, unless `signal` comes first. */
async function abortable<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(cancelled());
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([answer, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    answer.catch(() => undefined); // When it lost the race, its failure is no longer of interest.
  }
}
