import type { Descriptor, Platform } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { RawDocument } from "../oci/manifest.ts";
import { canonical, type Reference } from "../reference/reference.ts";
import { RegistryClient, type RegistryOptions } from "../registry/client.ts";
import { resolveImage } from "./resolve.ts";
import type { ResolvedImage, Source } from "./source.ts";

/** An image in a registry, or in a mirror of it. No request is made before one is needed. */
export class RegistrySource implements Source {
  readonly name: string;
  readonly reference: string;
  readonly #wanted: Reference;
  readonly #client: RegistryClient;

  constructor(wanted: Reference, options: RegistryOptions) {
    this.name = canonical(wanted);
    this.reference = this.name;
    this.#wanted = wanted;
    this.#client = new RegistryClient(wanted, options);
  }

  async resolve(platform: Platform): Promise<ResolvedImage> {
    return resolveImage(this, await this.root(), (entry) => this.document(entry), platform);
  }

  root(): Promise<RawDocument> {
    const { tag, digest } = this.#wanted;
    return this.#client.document(digest ?? tag ?? "latest");
  }

  async head(): Promise<Digest | undefined> {
    const { tag, digest } = this.#wanted;
    return digest ?? (await this.#client.head(tag ?? "latest"));
  }

  document(entry: Descriptor): Promise<RawDocument> {
    return this.#client.document(entry.digest);
  }

  fetch(blob: Descriptor, offset: number, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#client.fetch(blob, offset, signal);
  }

  distrust(blob: Descriptor): boolean {
    return this.#client.distrust(blob);
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}
