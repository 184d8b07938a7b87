import { cancellation } from "../base/abort.ts";
import { RtError } from "../base/errors.ts";
import type { ContentStore } from "../content/content-store.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { parseDocument, type RawDocument } from "../oci/manifest.ts";
import { listDocument } from "../oci/manifest-list.ts";
import { parse, repositoryOf } from "../reference/reference.ts";
import { resolveImage } from "../source/resolve.ts";
import type { ResolvedImage, Source } from "../source/source.ts";
import type { StoredEntry } from "./manifest-list-store.ts";

/**
 * A list that was made here, as a source: its manifests are in the store, and so are the blobs of its images where those are
 * images here; the others' are read from where they were found.
 */
export class ListSource implements Source {
  readonly name: string;
  readonly reference: string;
  readonly #root: RawDocument;
  readonly #content: ContentStore;
  readonly #open: (reference: string) => Promise<Source>;
  /** Of a blob: the reference of an image that has it. */
  readonly #homes = new Map<Digest, string>();
  readonly #opened = new Map<string, Promise<Source>>();

  constructor(
    name: string,
    entries: readonly StoredEntry[],
    content: ContentStore,
    open: (reference: string) => Promise<Source>,
  ) {
    this.name = name;
    this.reference = name;
    this.#content = content;
    this.#open = open;
    const { bytes, mediaType } = listDocument(entries);
    this.#root = { bytes, contentType: mediaType };
    for (const { digest, mediaType, reference } of entries) {
      const document = parseDocument(content.read(digest), mediaType, `the manifest of ${reference}`);
      if (document.kind !== "manifest") continue;
      for (const blob of [document.config, ...document.layers]) this.#homes.set(blob.digest, reference);
    }
  }

  get digest(): Digest {
    return digestOf(this.#root.bytes);
  }

  resolve(platform: Platform): Promise<ResolvedImage> {
    return resolveImage(this, this.#root, (entry) => this.document(entry), platform);
  }

  async root(): Promise<RawDocument> {
    return this.#root;
  }

  async document(entry: Descriptor): Promise<RawDocument> {
    return { bytes: this.#content.read(entry.digest), contentType: entry.mediaType };
  }

  async *fetch(blob: Descriptor, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    if (this.#content.has(blob.digest)) {
      const file = Bun.file(this.#content.path(blob.digest));
      for await (const chunk of file.slice(offset).stream()) {
        if (signal?.aborted) throw cancellation(signal);
        yield chunk;
      }
      return;
    }
    const home = this.#homes.get(blob.digest);
    if (home === undefined) throw new RtError("not-found", `blob ${blob.digest} of ${this.name} is not here`);
    if (!this.#opened.has(home)) this.#opened.set(home, this.#open(home));
    yield* (await this.#opened.get(home)!).fetch(blob, offset, signal);
  }

  /** "host/path" of the image that has this blob, by its name in the list. */
  repositoriesOf(blob: Digest): string[] {
    const home = this.#homes.get(blob);
    return home === undefined ? [] : [repositoryOf(parse(home))];
  }

  async close(): Promise<void> {
    for (const source of this.#opened.values()) await (await source).close();
  }
}
