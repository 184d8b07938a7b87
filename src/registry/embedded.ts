import { RtError } from "../base/errors.ts";
import { type LayoutFiles, openLayout } from "./layout.ts";
import type { NamedSource } from "./named-source.ts";

/**
 * `embed:NAME`: an OCI layout inside this executable. `files` maps the layout's file names ("index.json",
 * "blobs/sha256/…") to their bytes. It is read with the same distrust as any other: a bad build is seen, not run.
 */
export async function embeddedSource(
  name: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<NamedSource> {
  return openLayout(`embed:${name}`, name, undefined, new MapFiles(name, files), `embed:${name}`);
}

class MapFiles implements LayoutFiles {
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
