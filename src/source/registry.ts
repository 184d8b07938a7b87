import type { Descriptor, Platform } from "../oci/descriptor.ts";
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
    const { tag, digest } = this.#wanted;
    const root = await this.#client.document(digest ?? tag ?? "latest");
    return resolveImage(this, root, (entry) => this.#client.document(entry.digest), platform);
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
