import { RtError } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content-store.ts";
import { digestName, type TagRecord } from "../../image/image-store.ts";
import type { BlobRecord, ImageRecord } from "../../image/record.ts";
import { cancelled, type LayerPlan, type LayerProgress, transferLayers } from "../../image/transfer.ts";
import { chainIDs, type Digest } from "../../oci/digest.ts";
import { checkLayerCount, type ImageConfig, parseImageConfig } from "../../oci/image-config.ts";
import { layerType } from "../../oci/media-types.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { isNear } from "../../reference/kind.ts";
import { canonical, familiar, parse } from "../../reference/reference.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import type { NamedSource } from "../../source/named-source.ts";
import type { ResolvedImage, Source } from "../../source/source.ts";
import { keepReserve } from "../../store/reserve.ts";
import { collect, collectRarely, protect } from "../care/collect.ts";
import type { Host } from "../host.ts";

export type { LayerProgress } from "../../image/transfer.ts";

export interface PullOptions {
  /** "linux/arm64"; this machine's unless given. */
  platform?: string | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
  onProgress?: ((progress: LayerProgress) => void) | undefined;
  /** Aborted: everything stops, what has arrived of layers is kept. */
  signal?: AbortSignal | undefined;
}

/** No honest layer is larger, and a bomb of this size still fits few disks: then it ends with that. */
const defaultLayerSizeMax = 64 * 1024 ** 3;

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
 * Bring an image here: `text` is a reference, or a file ("oci:DIR", "docker-archive:FILE", …; see source/open.ts).
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
export async function pullFrom(
  host: Host,
  source: NamedSource,
  options: PullOptions = {},
): Promise<PullResult> {
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
  config: ImageConfig;
  plan: LayerPlan[];
  documents: { digest: Digest; mediaType: string; bytes: Uint8Array }[];
  /** Digests of all blobs, and chainIDs: top layers first. */
  items: string[];
}

async function resolve(source: NamedSource, options: PullOptions): Promise<WantedImage> {
  const platform = options.platform ? parsePlatform(options.platform, hostPlatform()) : hostPlatform();
  const found = await abortable(source.resolve(platform), options.signal);
  const config = parseImageConfig(found.config, `${source.name}: image config`);
  const { layers } = found.manifest;
  checkLayerCount(config, layers, source.name);
  for (const { mediaType } of layers) {
    if (layerType(mediaType)) continue;
    throw new RtError(
      "unsupported",
      `${source.name}: layers of type ${JSON.stringify(mediaType)} cannot be unpacked`,
    );
  }
  const plan = planLayers(found, config);
  const documents = [...found.documents, { ...found.manifest.config, bytes: found.config }];
  const blobs = [...documents, ...layers].map(({ digest }) => digest as string);
  return { found, config, plan, documents, items: [...plan.map(({ chain }) => chain).reverse(), ...blobs] };
}

async function bringImage(
  host: Host,
  source: NamedSource,
  { found, config, plan, documents, items }: WantedImage,
  options: PullOptions,
): Promise<PullResult> {
  using _ = await protect(host, items, options.signal);
  const content = await host.content();
  const driver = await host.snapshots();
  for (const { digest, bytes } of documents) await content.put(digest, bytes);
  await bringLayers(host, content, driver, source, plan, options);
  content.sync();

  const record = recordOf(host, driver, found, config, plan);
  const blobs = documents.map(({ digest, mediaType, bytes }) => ({ digest, mediaType, size: bytes.length }));
  const changed = host.images.put({
    record,
    tags: tagsOf(source, found.target),
    blobs: [...blobs, ...layerBlobs(host, content, driver, record, plan)],
  });
  keepReserve(host.paths.root);
  return {
    image: record,
    name: source.reference,
    familiar: familiar(parse(source.reference)),
    target: found.target,
    status: changed ? "downloaded" : "up-to-date",
  };
}

/** Unpack an image with the driver in use, from the blobs that are here. False when some are not. */
export async function unpackHere(host: Host, image: ImageRecord): Promise<boolean> {
  const driver = await host.snapshots();
  const content = await host.content();
  if (!image.layers.every(({ digest }) => content.has(digest))) return false;
  using _ = await protect(host, [...image.chain, ...image.layers.map(({ digest }) => digest)]);
  await bringLayers(host, content, driver, storeSource(image), planOf(image), {});
  return true;
}

/** A source for what is here already: it is never asked for bytes. */
function storeSource(image: ImageRecord): Source {
  const gone = () =>
    new RtError("not-found", `a layer of image ${image.id} is no longer here: pull it again`);
  return {
    name: image.id,
    resolve: () => Promise.reject(gone()),
    // biome-ignore lint/correctness/useYield: it has nothing to give
    fetch: async function* () {
      throw gone();
    },
    close: () => Promise.resolve(),
  };
}

async function bringLayers(
  host: Host,
  content: ContentStore,
  driver: SnapshotDriver,
  source: Source,
  layers: readonly LayerPlan[],
  options: PullOptions,
): Promise<void> {
  const said = new Set<string>();
  await transferLayers({
    content,
    driver,
    source,
    layers,
    known: ({ chain }) => host.images.layer(chain, driver.name)?.size,
    onUnpacked: ({ chain, parents, diffID, descriptor }, size) => {
      const parent = parents.at(-1) ?? null;
      host.images.putLayer({
        chain,
        driver: driver.name,
        diff: diffID,
        parent,
        blob: descriptor.digest,
        size,
      });
    },
    onProgress: options.onProgress ?? (() => {}),
    layerSizeMax: (await host.config()).maxLayerSize ?? defaultLayerSizeMax,
    onWait: (what) => {
      if (said.has(what)) return;
      said.add(what);
      host.warn(`waiting for another rt that is at work on ${what}`);
    },
    signal: options.signal ?? new AbortController().signal,
  });
}

function planLayers(found: ResolvedImage, config: ImageConfig): LayerPlan[] {
  return plan(found.manifest.layers, config.rootfs.diff_ids, chainIDs(config.rootfs.diff_ids));
}

function planOf(image: ImageRecord): LayerPlan[] {
  return plan(image.layers, image.diffIDs, image.chain);
}

function plan(
  layers: readonly BlobRecord[],
  diffIDs: readonly Digest[],
  chain: readonly Digest[],
): LayerPlan[] {
  return layers.map((descriptor, index) => ({
    descriptor,
    diffID: diffIDs[index]!,
    chain: chain[index]!,
    parents: chain.slice(0, index),
  }));
}

function recordOf(
  host: Host,
  driver: SnapshotDriver,
  found: ResolvedImage,
  config: ImageConfig,
  layers: readonly LayerPlan[],
): ImageRecord {
  const manifest = found.documents.find(({ digest }) => digest === found.manifestDigest);
  if (!manifest)
    throw new RtError("internal", `the manifest ${found.manifestDigest} is not among the documents`);
  const blob = ({ mediaType, digest, size }: BlobRecord) => ({ mediaType, digest, size });
  const size = layers.reduce((sum, { chain }) => sum + (host.images.layer(chain, driver.name)?.size ?? 0), 0);
  const { os, architecture, variant } = config;
  return {
    id: found.manifest.config.digest,
    manifest: blob({ ...manifest, size: manifest.bytes.length }),
    configuration: blob(found.manifest.config),
    layers: found.manifest.layers.map(blob),
    diffIDs: config.rootfs.diff_ids,
    chain: layers.map(({ chain }) => chain),
    config: config.config,
    platform: { os, architecture, ...(variant && { variant }) },
    created: config.created ?? "",
    author: config.author ?? "",
    size,
  };
}

/**
 * The one place that decides which layer blobs are kept once they are unpacked: all, as save and push need them. For a
 * layer that was here before, in another compression, that is the blob it was made from.
 */
function layerBlobs(
  host: Host,
  content: ContentStore,
  driver: SnapshotDriver,
  record: ImageRecord,
  layers: readonly LayerPlan[],
): BlobRecord[] {
  return record.layers.flatMap((layer, index) => {
    if (content.has(layer.digest)) return [layer];
    const other = host.images.layer(layers[index]!.chain, driver.name)?.blob;
    const size = other && content.size(other);
    return other && size !== undefined ? [{ mediaType: layer.mediaType, digest: other, size }] : [];
  });
}

/** A tag, and for what came from a registry also the digest that the name led to. */
function tagsOf(source: NamedSource, target: Digest): TagRecord[] {
  const name = parse(source.reference);
  const tags: TagRecord[] = name.tag && !name.digest ? [{ name: canonical(name), target }] : [];
  if (!isNear(source.name)) tags.push({ name: digestName(name, name.digest ?? target), target });
  return tags;
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
