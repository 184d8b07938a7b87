import type { FileHandle } from "node:fs/promises";
import { RtError } from "../base/errors.ts";
import { compressionOf } from "../oci/compression.ts";
import type { Digest } from "../oci/digest.ts";
import { quoted } from "../oci/json.ts";
import { openRegular, readRange } from "./file-range.ts";
import type { LayoutFiles } from "./layout.ts";
import { indexTar, type TarEntry } from "./tar-index.ts";

/** The files of a tar by name. */
export class TarFiles implements LayoutFiles {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #entries: ReadonlyMap<string, TarEntry>;
  /** Names that a source gives to entries that have another one in the archive, or none. */
  readonly #aliases = new Map<string, TarEntry | Uint8Array>();

  private constructor(path: string, file: FileHandle, entries: ReadonlyMap<string, TarEntry>) {
    this.path = path;
    this.#file = file;
    this.#entries = entries;
  }

  static async open(path: string): Promise<TarFiles> {
    const file = await openRegular(path, path, true);
    try {
      const { buffer: magic } = await file.read(new Uint8Array(6), 0, 6, 0);
      if (compressionOf(magic) !== "tar")
        throw new RtError("unsupported", `${path} is compressed: decompress it first`);
      return new TarFiles(path, file, await indexTar(file, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** @returns what `use` does; when it fails, the archive is closed */
  async closedOnError<T>(use: () => Promise<T>): Promise<T> {
    try {
      return await use();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async sizeOf(name: string): Promise<number> {
    const entry = this.#find(name);
    return entry instanceof Uint8Array ? entry.length : entry.size;
  }

  async *stream(name: string, offset: number): AsyncGenerator<Uint8Array> {
    const entry = this.#find(name);
    if (entry instanceof Uint8Array) yield entry.subarray(offset);
    else yield* readRange(this.#file, entry.offset + offset, entry.size - offset, `${this.path}: ${name}`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Gives a blob's name to the entry `target`, or to bytes that are no entry. */
  alias(digest: Digest, target: string | Uint8Array): void {
    const entry = typeof target === "string" ? this.#find(target) : target;
    this.#aliases.set(`blobs/${digest.replace(":", "/")}`, entry);
  }

  /** Follows links a few steps, as keys: old `docker save` writes a repeated layer as one. */
  #find(name: string): TarEntry | Uint8Array {
    const alias = this.#aliases.get(name);
    if (alias) return alias;
    let key = name;
    for (let steps = 0; steps < 8; steps++) {
      const entry = this.#entries.get(key);
      if (!entry) break;
      if (!entry.targets) return entry;
      key = entry.targets.find((target) => this.#entries.has(target)) ?? "";
    }
    throw new RtError("not-found", `${this.path}: ${quoted(name)} does not exist`);
  }
}
