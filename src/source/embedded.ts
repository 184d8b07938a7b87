import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type LayoutFiles, openLayout } from "./layout.ts";
import type { Source } from "./source.ts";

/** An OCI layout inside this executable. */
export interface EmbeddedLayout {
  /** What its image is called in the store. */
  reference: string;
  /** The only image that this name may lead to, where that has been looked up. */
  manifest?: Descriptor;
  files: LayoutFiles;
}

/** `embed:NAME`. It is read with the same distrust as any other layout: a bad build is seen, not run. */
export function openEmbedded(name: string, { files, reference }: EmbeddedLayout): Promise<Source> {
  return openLayout(name, files, undefined, () => reference);
}

/** Files in memory: names within the layout ("index.json", "blobs/sha256/…") to their bytes. */
export class MapFiles implements LayoutFiles {
  readonly #name: string;
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(name: string, files: ReadonlyMap<string, Uint8Array>) {
    this.#name = name;
    this.#files = files;
  }

  async sizeOf(name: string): Promise<number> {
    return this.#bytesOf(name).length;
  }

  async *stream(name: string, offset: number): AsyncGenerator<Uint8Array> {
    yield this.#bytesOf(name).subarray(offset);
  }

  async close(): Promise<void> {}

  #bytesOf(name: string): Uint8Array {
    const bytes = this.#files.get(name);
    if (bytes) return bytes;
    throw new RtError("not-found", `embed:${this.#name}: ${name} does not exist`);
  }
}
