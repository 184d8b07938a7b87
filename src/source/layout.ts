import { cancellation } from "../base/abort.ts";
import { RtError, withCause } from "../base/errors.ts";
import type { Descriptor, IndexEntry, Platform } from "../oci/descriptor.ts";
import { hexOf } from "../oci/digest.ts";
import { documentBytesMax, fieldsIn, parseJson, shown } from "../oci/json.ts";
import { chosen, type Index, parseDocument, type RawDocument } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { isArtifact } from "../oci/platform.ts";
import { checkBytes, resolveImage } from "./resolve.ts";
import type { ResolvedImage, Source } from "./source.ts";

/**
 * The files of an OCI layout (image-spec image-layout.md), wherever they lie: a directory, a tar, this executable.
 * Names are "oci-layout", "index.json" and "blobs/sha256/<64 hex>", and no others are ever asked for.
 */
export interface LayoutFiles {
  /** Size in bytes. @throws not-found */
  sizeOf(name: string): Promise<number>;
  /** @throws not-found */
  stream(name: string, offset: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

const refName = "org.opencontainers.image.ref.name";
const containerdName = "io.containerd.image.name";

/** An image in an OCI layout. Made by `openLayout`, which has read the index and chosen by tag. */
export class LayoutSource implements Source {
  readonly name: string;
  readonly reference: string;
  readonly #files: LayoutFiles;
  readonly #root: RawDocument | Descriptor;

  constructor(name: string, reference: string, files: LayoutFiles, root: RawDocument | Descriptor) {
    this.name = name;
    this.reference = reference;
    this.#files = files;
    this.#root = root;
  }

  async resolve(platform: Platform): Promise<ResolvedImage> {
    return resolveImage(this, await this.root(), (entry) => this.document(entry), platform);
  }

  async root(): Promise<RawDocument> {
    if ("bytes" in this.#root) return this.#root;
    const root = await this.document(this.#root);
    checkBytes(root.bytes, this.#root, "manifest", this.name);
    return root;
  }

  async document(entry: Descriptor): Promise<RawDocument> {
    const bytes = await readWhole(this.#files, blobName(entry), this.name);
    return { bytes, contentType: entry.mediaType };
  }

  async *fetch(blob: Descriptor, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const file = blobName(blob);
    const size = await this.#files.sizeOf(file);
    if (size !== blob.size) {
      throw new RtError(
        "data-loss",
        `${this.name}: ${file} has ${size} bytes where its descriptor says ${blob.size}: refused`,
      );
    }
    for await (const chunk of this.#files.stream(file, offset)) {
      if (signal?.aborted) throw cancellation(signal);
      yield chunk;
    }
  }

  close(): Promise<void> {
    return this.#files.close();
  }
}

/**
 * @param name what the user wrote
 * @param localName what the image is called in the local store, when its layout calls it `own`
 * @throws not-found (no such tag) | invalid-argument (several images and no tag) | data-loss | unsupported
 */
export async function openLayout(
  name: string,
  files: LayoutFiles,
  tag: string | undefined,
  localName: (own: string | undefined) => string,
): Promise<LayoutSource> {
  const { index, bytes } = await readIndex(name, files);
  const entry = select(index, tag, name);
  if (!entry) {
    const whole = { bytes, contentType: mediaTypes.ociIndex };
    return new LayoutSource(name, localName(undefined), files, whole);
  }
  return new LayoutSource(name, localName(nameOf(entry) ?? tag), files, chosen(entry, `${name}: index.json`));
}

/** @throws not-found: no layout; data-loss | unsupported */
export async function readIndex(
  name: string,
  files: LayoutFiles,
): Promise<{ index: Index; bytes: Uint8Array }> {
  const what = `${name}: oci-layout`;
  const marker = await readWhole(files, "oci-layout", name).catch((error) => {
    throw withCause(`${name} is no OCI layout`, error);
  });
  const field = fieldsIn(parseJson(marker, what), what);
  const version = field("imageLayoutVersion");
  if (version !== "1.0.0") {
    throw new RtError("unsupported", `${name} is an OCI layout of version ${shown(version)}: rt knows 1.0.0`);
  }
  const bytes = await readWhole(files, "index.json", name);
  const index = parseDocument(bytes, mediaTypes.ociIndex, `${name}: index.json`);
  if (index.kind !== "index") throw new RtError("data-loss", `${name}: index.json is not an index`);
  return { index, bytes };
}

/** What the layout calls the entry: a whole reference, or a mere tag. */
export function nameOf({ annotations }: IndexEntry): string | undefined {
  return annotations?.[containerdName] ?? annotations?.[refName];
}

/** The entry to pull; undefined when the whole index is one image in several platforms. */
function select(index: Index, tag: string | undefined, name: string): IndexEntry | undefined {
  const names = ({ annotations }: IndexEntry) => [annotations?.[refName], annotations?.[containerdName]];
  const tags = [
    ...new Set(index.manifests.flatMap((entry) => names(entry).filter((tag) => tag !== undefined))),
  ];
  if (tag !== undefined) {
    const found = index.manifests.find((entry) => names(entry).includes(tag));
    if (found) return found;
    throw new RtError("not-found", `${name}: no image is tagged ${shown(tag)}; there ${listed(tags)}`);
  }
  const images = index.manifests.filter((entry) => !isArtifact(entry));
  if (images.length === 1) return images[0];
  if (images.length === 0) throw new RtError("not-found", `${name}: the layout holds no image`);
  // One image under several names is one image.
  if (new Set(images.map(({ digest }) => digest)).size === 1) return images[0];
  if (tags.length === 0) return undefined;
  const latest = images.find((entry) => names(entry).includes("latest"));
  if (latest) return latest;
  throw new RtError("invalid-argument", `${name} holds several images, add a tag; there ${listed(tags)}`);
}

function listed(tags: string[]): string {
  if (tags.length === 0) return "are no tags";
  return `${tags.length === 1 ? "is" : "are"} ${tags.slice(0, 8).map(shown).join(", ")}${tags.length > 8 ? " …" : ""}`;
}

function blobName(descriptor: Descriptor): string {
  return `blobs/sha256/${hexOf(descriptor.digest)}`;
}

/** A document of the layout's. @throws not-found | exhausted */
export async function readWhole(files: LayoutFiles, file: string, name: string): Promise<Uint8Array> {
  const size = await files.sizeOf(file);
  if (size > documentBytesMax) {
    throw new RtError(
      "exhausted",
      `${name}: ${file} has ${size} bytes: at most ${documentBytesMax} are accepted`,
    );
  }
  const parts: Uint8Array[] = [];
  for await (const chunk of files.stream(file, 0)) parts.push(chunk);
  return Buffer.concat(parts);
}
