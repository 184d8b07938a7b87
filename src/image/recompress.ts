import { cancellation } from "../base/abort.ts";
import { RtError } from "../base/errors.ts";
import { compress, type FormChoice, formKey } from "../content/compress.ts";
import type { ContentStore } from "../content/content-store.ts";
import { compressionIn, decompress } from "../content/decompress.ts";
import type { Draft } from "../content/draft.ts";
import type { Descriptor, Platform, RawBlob } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { checkLayerCount, type ImageConfig, parseImageConfig } from "../oci/image-config.ts";
import { documentBytesMax } from "../oci/json.ts";
import { chosen, type Manifest, parseDocument, type RawDocument } from "../oci/manifest.ts";
import { isConfigType, isForeignLayerType, isLayerType, mediaTypes } from "../oci/media-types.ts";
import { type RemadeLayer, withOtherLayers, withOtherManifests } from "../oci/rewrite.ts";
import { checkBytes } from "../source/resolve.ts";
import type { ResolvedImage, Source } from "../source/source.ts";

export interface Recompression {
  choice: FormChoice;
  /** Those that have another form than the chosen one, those that are not compressed at all, or all. */
  of: "others" | "uncompressed" | "all";
}

export interface RecompressContext {
  /** Where what is made lies until the source is closed. */
  content: ContentStore;
  /** Bytes of a layer's archive. */
  layerSizeMax: number;
  /** What became of a layer before. */
  known?: {
    find(layer: Digest, how: string): Pick<Descriptor, "digest" | "size"> | undefined;
    note(layer: Digest, how: string, made: Pick<Descriptor, "digest" | "size">): void;
  };
  /** One line for people. */
  warn: (line: string) => void;
  /** Bytes of the layer's blob that were read so far. */
  onProgress?: (layer: Descriptor, bytes: number) => void;
  signal: AbortSignal;
}

/** A layer in its new form: to be made when somebody wants its bytes, or made. */
interface Made extends RemadeLayer {
  original: Descriptor;
  diffID: Digest;
  draft?: Promise<Draft>;
}

/** No honest index nests deeper. */
const indexDepthMax = 4;

/**
 * A source whose layers are compressed otherwise than those of `source`: other blobs of the same archives (each is checked
 * against its diffID), and so other manifests and another index. The config, and with it the image's ID, stays. Documents of
 * which nothing changes stay byte for byte.
 *
 * A digest is to be known before the first byte is sent, so a layer is made when the manifest that names it is asked for,
 * unless it is known what it becomes: then only if it is asked for.
 */
export class RecompressedSource implements Source {
  readonly name: string;
  readonly reference: string;
  readonly #source: Source;
  readonly #how: Recompression;
  readonly #context: RecompressContext;
  /** By the digest of what they were; undefined: it stays. */
  readonly #layers = new Map<Digest, Made | undefined>();
  readonly #made = new Map<Digest, Made>();
  readonly #documents = new Map<Digest, RawBlob>();
  #hasWarned = false;

  constructor(source: Source, how: Recompression, context: RecompressContext) {
    this.name = source.name;
    this.reference = source.reference;
    this.#source = source;
    this.#how = how;
    this.#context = context;
  }

  async root(): Promise<RawDocument> {
    const raw = await this.#source.root();
    const made = await this.#rewritten(raw, 0);
    return made ? { bytes: made.bytes, contentType: made.mediaType } : raw;
  }

  async document(entry: Descriptor): Promise<RawDocument> {
    const made = this.#documents.get(entry.digest);
    return made ? { bytes: made.bytes, contentType: made.mediaType } : this.#source.document(entry);
  }

  /** The manifest of the platform alone: the index, if there is one, would name another. */
  async resolve(platform: Platform): Promise<ResolvedImage> {
    const found = await this.#source.resolve(platform);
    const old = found.documents.find(({ digest }) => digest === found.manifest.digest)!;
    const made = await this.#rewritten({ bytes: old.bytes, contentType: old.mediaType }, 0);
    if (!made) return found;
    const manifest = parseDocument(made.bytes, made.mediaType, `the manifest of ${this.name}`) as Manifest;
    const { digest, mediaType, bytes } = made;
    const config = found.documents.filter((each) => each.digest === manifest.config.digest);
    return {
      target: digest,
      documents: [made, ...config],
      manifest: { mediaType, digest, size: bytes.length, config: manifest.config, layers: manifest.layers },
      config: found.config,
    };
  }

  async *fetch(blob: Descriptor, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const made = this.#made.get(blob.digest);
    if (!made) return yield* this.#source.fetch(blob, offset, signal);
    const draft = await this.#draftOf(made);
    for (const piece of draft.read(offset)) {
      if (signal?.aborted) throw cancellation(signal);
      yield piece;
    }
  }

  distrust(blob: Descriptor): boolean {
    return !this.#made.has(blob.digest) && (this.#source.distrust?.(blob) ?? false);
  }

  async close(): Promise<void> {
    // Of several that have become the same only one is in #made.
    for (const layer of this.#layers.values()) {
      const [made] = await Promise.allSettled([layer?.draft]);
      if (made.status === "fulfilled") made.value?.[Symbol.dispose]();
    }
    await this.#source.close();
  }

  /** Undefined: nothing of it changes. */
  async #rewritten(raw: RawDocument, depth: number): Promise<RawBlob | undefined> {
    const what = `the manifest of ${this.name}`;
    const document = parseDocument(raw.bytes, raw.contentType, what);
    if (document.kind === "manifest") return this.#rewrittenManifest(raw.bytes, document);
    if (depth >= indexDepthMax)
      throw new RtError("exhausted", `${this.name} nests indexes more than ${indexDepthMax} deep: refused`);
    const changed = new Map<Digest, RawBlob>();
    for (const each of document.manifests) {
      const entry = chosen(each, what);
      if (entry.size > documentBytesMax)
        throw new RtError("exhausted", `a manifest of ${this.name} is too large: refused`);
      const below = await this.#source.document(entry);
      checkBytes(below.bytes, entry, "manifest", this.name);
      const contentType = below.contentType ?? entry.mediaType;
      const made = await this.#rewritten({ bytes: below.bytes, contentType }, depth + 1);
      if (made) changed.set(entry.digest, made);
    }
    return changed.size === 0 ? undefined : this.#keep(withOtherManifests(raw.bytes, document, changed));
  }

  async #rewrittenManifest(bytes: Uint8Array, manifest: Manifest): Promise<RawBlob | undefined> {
    const candidates = [...manifest.layers.entries()].filter(
      ([, { mediaType }]) => isLayerType(mediaType) && !isForeignLayerType(mediaType),
    );
    // What is no image, an attestation say, has nothing that could be unpacked.
    if (candidates.length === 0 || !isConfigType(manifest.config.mediaType)) return undefined;
    const diffIDs = (await this.#configOf(manifest)).rootfs.diff_ids;
    const layers = new Map<number, RemadeLayer>();
    for (const [index, layer] of candidates) {
      const made = await this.#layerFor(layer, diffIDs[index]!);
      if (made) layers.set(index, made);
    }
    if (layers.size === 0) return undefined;
    const made = withOtherLayers(bytes, manifest, layers);
    if (manifest.mediaType === mediaTypes.dockerManifest && made.mediaType !== manifest.mediaType)
      this.#warnOfOci();
    return this.#keep(made);
  }

  #warnOfOci(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#context.warn(`Docker's image format knows no zstd: ${this.name} is sent in OCI's`);
  }

  #keep(document: RawBlob): RawBlob {
    this.#documents.set(document.digest, document);
    return document;
  }

  async #configOf(manifest: Manifest): Promise<ImageConfig> {
    const { config } = manifest;
    if (config.size > documentBytesMax)
      throw new RtError("exhausted", `the config of ${this.name} is too large: refused`);
    const parts: Uint8Array[] = [];
    for await (const piece of this.#source.fetch(config, 0, this.#context.signal)) parts.push(piece);
    const bytes = Buffer.concat(parts);
    checkBytes(bytes, config, "config", this.name);
    const parsed = parseImageConfig(bytes, `the config of ${this.name}`);
    checkLayerCount(parsed, manifest.layers, this.name);
    return parsed;
  }

  /** Undefined: it stays as it is. One that several manifests have is made once. */
  async #layerFor(original: Descriptor, diffID: Digest): Promise<Made | undefined> {
    if (this.#layers.has(original.digest)) return this.#layers.get(original.digest);
    const made = await this.#newLayer(original, diffID);
    this.#layers.set(original.digest, made);
    if (made) this.#made.set(made.digest, made);
    return made;
  }

  async #newLayer(original: Descriptor, diffID: Digest): Promise<Made | undefined> {
    const { choice } = this.#how;
    const compression = choice.form;
    if (!(await this.#isToChange(original))) return undefined;
    const known = this.#context.known?.find(original.digest, formKey(choice));
    if (known) return { ...known, compression, original, diffID };
    const { draft, ...made } = await this.#make(original, diffID);
    this.#context.known?.note(original.digest, formKey(choice), made);
    return { ...made, compression, original, diffID, draft: Promise.resolve(draft) };
  }

  async #isToChange(layer: Descriptor): Promise<boolean> {
    const { of, choice } = this.#how;
    if (of === "all") return true;
    const compression = await compressionIn(this.#pieces(layer));
    return of === "uncompressed" ? compression === "tar" : compression !== choice.form;
  }

  #pieces(layer: Descriptor): AsyncIterable<Uint8Array> {
    return this.#source.fetch(layer, 0, this.#context.signal);
  }

  /** Once, however many ask. */
  #draftOf(made: Made): Promise<Draft> {
    made.draft ??= this.#make(made.original, made.diffID).then(({ draft, ...now }) => {
      if (now.digest === made.digest) return draft;
      draft[Symbol.dispose]();
      // Another processor's zlib has made it, say. The next one asks for what is made here.
      this.#context.known?.note(made.original.digest, formKey(this.#how.choice), now);
      const text = `layer ${made.original.digest} was ${made.digest}, and is ${now.digest} now: try again`;
      throw new RtError("internal", text);
    });
    return made.draft;
  }

  /** @throws RtError data-loss: it is not the archive that the config names */
  async #make(original: Descriptor, diffID: Digest): Promise<{ digest: Digest; size: number; draft: Draft }> {
    const { content, layerSizeMax, signal, onProgress } = this.#context;
    const draft = content.draft();
    try {
      const hash = new Bun.CryptoHasher("sha256");
      let size = 0;
      const blob = counted(this.#pieces(original), (bytes) => onProgress?.(original, bytes));
      const archive = new Hashed(await decompress(blob, layerSizeMax));
      for await (const piece of compress(archive, this.#how.choice)) {
        if (signal.aborted) throw cancellation(signal);
        await draft.write(piece, size);
        hash.update(piece);
        size += piece.length;
      }
      const found = archive.digest();
      if (found !== diffID)
        throw new RtError(
          "data-loss",
          `layer ${original.digest} of ${this.name} unpacks to ${found}, not ${diffID}: refused`,
        );
      return { digest: `sha256:${hash.digest("hex")}` as Digest, size, draft };
    } catch (error) {
      draft[Symbol.dispose]();
      throw error;
    }
  }
}

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of pieces) {
    yield piece;
    bytes += piece.length;
    tell(bytes);
  }
}

/** What has passed through. */
class Hashed implements AsyncIterable<Uint8Array> {
  readonly #pieces: AsyncIterable<Uint8Array>;
  readonly #hash = new Bun.CryptoHasher("sha256");

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#pieces) {
      this.#hash.update(piece);
      yield piece;
    }
  }

  digest(): Digest {
    return `sha256:${this.#hash.digest("hex")}` as Digest;
  }
}
