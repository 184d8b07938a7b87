import { RtError } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content-store.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseDocument } from "../../oci/manifest.ts";

/** A manifest or an index, as far as it leads elsewhere. */
export interface KnownDocument {
  isIndex: boolean;
  mediaType: string;
  /** Manifests, or config and layers; of an index digests may be of another algorithm. */
  named: readonly { digest: string; mediaType: string }[];
}

/** Of all documents that are remembered. */
const namedMax = 50_000;

/** What documents of the store name: read once, as long as there is room to remember it, for they never change. */
export class Documents {
  readonly #content: ContentStore;
  /** The one that was asked for longest ago first. */
  readonly #known = new Map<Digest, KnownDocument>();
  #count = 0;

  constructor(content: ContentStore) {
    this.#content = content;
  }

  /** Undefined: not here, damaged, or none. */
  get(digest: Digest): KnownDocument | undefined {
    if (!this.#content.has(digest)) return undefined;
    const known = this.#known.get(digest);
    if (known) this.#known.delete(digest);
    const document = known ?? this.#read(digest);
    if (!document) return undefined;
    this.#known.set(digest, document);
    if (!known) this.#makeRoom(document);
    return document;
  }

  #read(digest: Digest): KnownDocument | undefined {
    try {
      const document = parseDocument(this.#content.read(digest), undefined, digest);
      const isIndex = document.kind === "index";
      const named = isIndex ? document.manifests : [document.config, ...document.layers];
      const { mediaType } = document;
      return { isIndex, mediaType, named: named.map(({ digest, mediaType }) => ({ digest, mediaType })) };
    } catch (error) {
      if (error instanceof RtError) return undefined;
      throw error;
    }
  }

  #makeRoom(added: KnownDocument): void {
    this.#count += added.named.length + 1;
    for (const [digest, { named }] of this.#known) {
      if (this.#count <= namedMax) return;
      this.#known.delete(digest);
      this.#count -= named.length + 1;
    }
  }
}
