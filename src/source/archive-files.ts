import { RtError } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import { hexOf } from "../oci/digest.ts";
import { quoted } from "../oci/json.ts";
import type { LayoutFiles } from "./layout.ts";

/** A file of an archive, or a link to one. */
export interface ArchiveEntry {
  size: number;
  targets?: readonly string[];
}

/** The files of an archive by name, wherever its bytes lie. */
export class ArchiveFiles<E extends ArchiveEntry = ArchiveEntry> implements LayoutFiles {
  /** As the user knows it. */
  readonly name: string;
  readonly #entries: ReadonlyMap<string, E>;
  readonly #read: (entry: E, offset: number, what: string) => AsyncIterable<Uint8Array>;
  readonly #close: () => Promise<void>;
  /** Names that a source gives to entries that have another one in the archive, or none. */
  readonly #aliases = new Map<string, E | Uint8Array>();

  constructor(
    name: string,
    entries: ReadonlyMap<string, E>,
    read: (entry: E, offset: number, what: string) => AsyncIterable<Uint8Array>,
    close: () => Promise<void>,
  ) {
    this.name = name;
    this.#entries = entries;
    this.#read = read;
    this.#close = close;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  async sizeOf(name: string): Promise<number> {
    const entry = this.#find(name);
    return entry instanceof Uint8Array ? entry.length : entry.size;
  }

  async *stream(name: string, offset: number): AsyncGenerator<Uint8Array> {
    const entry = this.#find(name);
    if (entry instanceof Uint8Array) yield entry.subarray(offset);
    else yield* this.#read(entry, offset, `${this.name}: ${quoted(name)}`);
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** Gives a blob's name to the entry `target`, or to bytes that are no entry. */
  alias(digest: Digest, target: string | Uint8Array): void {
    const entry = typeof target === "string" ? this.#find(target) : target;
    this.#aliases.set(`blobs/sha256/${hexOf(digest)}`, entry);
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

  /** Follows links a few steps, as keys: old `docker save` writes a repeated layer as one. */
  #find(name: string): E | Uint8Array {
    const alias = this.#aliases.get(name);
    if (alias) return alias;
    let key = name;
    for (let steps = 0; steps < 8; steps++) {
      const entry = this.#entries.get(key);
      if (!entry) break;
      if (!entry.targets) return entry;
      key = entry.targets.find((target) => this.#entries.has(target)) ?? "";
    }
    throw new RtError("not-found", `${this.name}: ${quoted(name)} does not exist`);
  }
}

/** Wherever its bytes lie. */
export type Archive = Pick<ArchiveFiles, keyof ArchiveFiles>;

/** Its first bytes; none of an empty one. */
export async function headOf(files: Archive, name: string): Promise<Uint8Array> {
  for await (const chunk of files.stream(name, 0)) return chunk;
  return new Uint8Array();
}

export async function fileDigest(files: Archive, name: string): Promise<Digest> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of files.stream(name, 0)) hasher.update(chunk);
  return `sha256:${hasher.digest("hex")}` as Digest;
}
