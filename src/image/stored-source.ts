import { closeSync, openSync, readSync } from "node:fs";
import { cancellation } from "../base/abort.ts";
import { RtError, withCause } from "../base/errors.ts";
import type { ContentStore } from "../content/content-store.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { parseDocument, type RawDocument } from "../oci/manifest.ts";
import { resolveImage } from "../source/resolve.ts";
import type { ResolvedImage, Source } from "../source/source.ts";
import type { ImageRecord } from "./record.ts";

const readLength = 1 << 20;
/** Some look at no more than how a blob begins. */
const firstLength = 64 << 10;
/** As deep as image/send.ts goes. */
const indexDepthMax = 4;

export interface StoredImage {
  /** As people call it. */
  name: string;
  reference: string;
  record: ImageRecord;
  /** What the name led to when it came here: an index, or the manifest. */
  target: Digest;
}

/** Brings a blob into the store again that has gone from it. @throws RtError where that cannot be */
export type Remake = (blob: Descriptor, signal?: AbortSignal) => Promise<void>;

/**
 * An image of the store as a source: byte for byte what came in. The index that it came by is its root where all that the
 * index names is here too; else its manifest is.
 */
export class StoredSource implements Source {
  readonly name: string;
  readonly reference: string;
  readonly #content: ContentStore;
  readonly #image: StoredImage;
  readonly #remake: Remake | undefined;

  constructor(content: ContentStore, image: StoredImage, remake?: Remake) {
    this.#content = content;
    this.#image = image;
    this.#remake = remake;
    this.name = image.name;
    this.reference = image.reference;
  }

  resolve(platform: Platform): Promise<ResolvedImage> {
    return resolveImage(this, this.#rootIn(), (entry) => this.document(entry), platform);
  }

  async root(): Promise<RawDocument> {
    return this.#rootIn();
  }

  async document(entry: Descriptor): Promise<RawDocument> {
    return { bytes: this.#content.read(entry.digest), contentType: entry.mediaType };
  }

  async *fetch(blob: Descriptor, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    if (!this.#content.has(blob.digest)) {
      if (!this.#remake) throw new RtError("not-found", `blob ${blob.digest} of ${this.name} is not here`);
      await this.#remake(blob, signal);
    }
    const fd = openSync(this.#content.path(blob.digest), "r");
    try {
      for (let position = offset, wanted = firstLength; ; wanted = readLength) {
        if (signal?.aborted) throw cancellation(signal);
        const buffer = new Uint8Array(wanted);
        const length = readSync(fd, buffer, 0, buffer.length, position);
        if (length === 0) return;
        position += length;
        yield buffer.subarray(0, length);
      }
    } catch (error) {
      throw withCause(`cannot read blob ${blob.digest}`, error);
    } finally {
      closeSync(fd);
    }
  }

  async close(): Promise<void> {}

  #rootIn(): RawDocument {
    const { record, target } = this.#image;
    const { digest, mediaType } = record.manifest;
    if (target !== digest && wholeIndex(this.#content, target))
      return { bytes: this.#content.read(target), contentType: undefined };
    return { bytes: this.#content.read(digest), contentType: mediaType };
  }
}

/** An index or a manifest and all that it names, where all of that is in the store. */
export function wholeIndex(content: ContentStore, digest: Digest): ReadonlySet<Digest> | undefined {
  const found = new Set<Digest>();
  return gatherWhole(content, digest, found, 0) ? found : undefined;
}

/** The first thing that is missing ends it, so what is in `into` is here; each document is read once, however often it is named. */
function gatherWhole(content: ContentStore, digest: Digest, into: Set<Digest>, depth: number): boolean {
  if (into.has(digest)) return true;
  if (depth > indexDepthMax || !content.has(digest)) return false;
  into.add(digest);
  const document = parseDocument(content.read(digest), undefined, `the manifest ${digest}`);
  if (document.kind === "manifest") {
    const blobs = [document.config, ...document.layers].map((blob) => blob.digest);
    for (const blob of blobs) into.add(blob);
    return blobs.every((blob) => content.has(blob));
  }
  return document.manifests.every(
    (entry) => isDigest(entry.digest) && gatherWhole(content, entry.digest, into, depth + 1),
  );
}
