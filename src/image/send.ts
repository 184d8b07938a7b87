import { cancellation } from "../base/abort.ts";
import { RtError } from "../base/errors.ts";
import type { Destination, ReadBlob, SentImage } from "../destination/destination.ts";
import type { Descriptor, Platform, RawBlob } from "../oci/descriptor.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { documentBytesMax } from "../oci/json.ts";
import { chosen, parseDocument, type RawDocument } from "../oci/manifest.ts";
import { isForeignLayerType } from "../oci/media-types.ts";
import type { Reference } from "../reference/reference.ts";
import { checkBytes } from "../source/resolve.ts";
import type { Source } from "../source/source.ts";

export interface SendProgress {
  /** Of the layer as it travels. */
  layer: Digest;
  status: "preparing" | "waiting" | "sending" | "sent" | "mounted" | "exists";
  current: number;
  total: number;
  /** Of a mounted one: the repository "host/path". */
  from?: string;
}

export interface SendRequest {
  source: Source;
  destination: Destination;
  /** Only the image for it; undefined: whatever the source's name leads to, an index with all of its images included. */
  platform: Platform | undefined;
  /** In the place of both: a document of the source's that the caller has chosen. */
  root?: RawDocument;
  names: readonly Reference[];
  /** Repositories "host/path" that are known to have a blob. */
  elsewhere?: (blob: Digest) => readonly string[];
  onProgress: (progress: SendProgress) => void;
  signal: AbortSignal;
}

/** A document and what it is made of: nothing may be sent before what it names. */
interface Gathered {
  /** Without the root; each after those that it names. */
  documents: RawBlob[];
  /** Configs and layers, each once. */
  blobs: Map<Digest, Descriptor>;
  layers: Set<Digest>;
}

/** An index may hold indexes; nobody honest nests them deeper, or has more. */
const indexDepthMax = 4;
const documentsMax = 1000;

const blobsAtOnce = 4;
const progressStep = 256 << 10;

/**
 * An image from its source to a destination: source -> blobs -> documents, bottom up. Nothing is unpacked and nothing is
 * stored here, and only what is missing there is read.
 *
 *   source.root ──> its documents, each checked against the digest that led to it
 *        blobs, several at once:   destination.putBlob(blob, source.fetch)
 *        documents, bottom up:     destination.putDocument
 *        root:                     destination.putImage(root, names)
 *
 * The first failure stops all. `destination.commit` is the caller's, who may send several images.
 */
export async function sendImage(request: SendRequest): Promise<SentImage> {
  const { source, destination, platform, names } = request;
  const root = request.root ?? (platform ? await manifestFor(source, platform) : await source.root());
  const gathered: Gathered = { documents: [], blobs: new Map(), layers: new Set() };
  const document = await gather(source, root, gathered, 0);
  const { documents, blobs } = gathered;
  const read: ReadBlob = (...asked) => source.fetch(...asked);
  await destination.announce?.({ root: document, documents, blobs, names, read });
  await sendBlobs(request, gathered);
  for (const each of documents) await destination.putDocument(each);
  await destination.putImage(document, names);
  const { digest, mediaType, bytes } = document;
  return { digest, mediaType, size: bytes.length };
}

async function manifestFor(source: Source, platform: Platform): Promise<RawDocument> {
  const { manifest, documents } = await source.resolve(platform);
  const { bytes, mediaType } = documents.find(({ digest }) => digest === manifest.digest)!;
  return { bytes, contentType: mediaType };
}

async function gather(source: Source, raw: RawDocument, into: Gathered, depth: number): Promise<RawBlob> {
  const what = `the manifest of ${source.name}`;
  const document = parseDocument(raw.bytes, raw.contentType, what);
  if (document.kind === "manifest") {
    for (const blob of [document.config, ...document.layers]) into.blobs.set(blob.digest, blob);
    for (const { digest } of document.layers) into.layers.add(digest);
  } else {
    if (depth >= indexDepthMax)
      throw new RtError("exhausted", `${source.name} nests indexes more than ${indexDepthMax} deep: refused`);
    for (const each of document.manifests) {
      const entry = chosen(each, what);
      if (into.documents.some(({ digest }) => digest === entry.digest)) continue;
      if (into.documents.length >= documentsMax || entry.size > documentBytesMax)
        throw new RtError("exhausted", `${source.name} has too many manifests, or too large ones: refused`);
      const below = await source.document(entry);
      checkBytes(below.bytes, entry, "manifest", source.name);
      const contentType = below.contentType ?? entry.mediaType;
      into.documents.push(await gather(source, { bytes: below.bytes, contentType }, into, depth + 1));
    }
  }
  return { digest: digestOf(raw.bytes), mediaType: document.mediaType, bytes: raw.bytes };
}

async function sendBlobs(request: SendRequest, { blobs, layers }: Gathered): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  const queue = [...blobs.values()].filter(
    ({ mediaType }) => request.destination.takesForeign || !isForeignLayerType(mediaType),
  );
  const tell = (progress: SendProgress) => {
    if (layers.has(progress.layer)) request.onProgress(progress);
  };
  const { atOnce = blobsAtOnce } = request.destination;
  for (const [i, { digest, size }] of queue.entries())
    tell({ layer: digest, status: i < atOnce ? "preparing" : "waiting", current: 0, total: size });
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (let blob = queue.shift(); blob && !failure; blob = queue.shift()) {
      try {
        await sendBlob({ ...request, signal, onProgress: tell }, blob);
      } catch (error) {
        failure ??= { error };
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (request.signal.aborted) throw cancellation(request.signal, failure?.error);
  if (failure) throw failure.error;
}

async function sendBlob(request: SendRequest, blob: Descriptor): Promise<void> {
  const { source, destination, signal, elsewhere, onProgress } = request;
  const { digest: layer, size: total } = blob;
  let shown = 0;
  const placed = await destination.putBlob(blob, (...asked) => source.fetch(...asked), {
    signal,
    elsewhere: elsewhere?.(layer) ?? [],
    onProgress: (current) => {
      if (current - shown < progressStep && current >= shown && shown > 0) return;
      shown = current;
      onProgress({ layer, status: "sending", current, total });
    },
  });
  const from = placed.how === "mounted" ? { from: placed.from } : {};
  onProgress({ layer, status: placed.how, current: total, total, ...from });
}
