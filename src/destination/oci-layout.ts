import { fchmodSync, readdirSync, renameSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { RtError, withCause } from "../base/errors.ts";
import { FileLock } from "../content/file-lock.ts";
import { synced } from "../content/synced.ts";
import { writeAll } from "../content/write-all.ts";
import type { Descriptor, RawBlob } from "../oci/descriptor.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { arrayIn, objectIn, optionalIn, parseJson } from "../oci/json.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { canonical, type Reference } from "../reference/reference.ts";
import { openRegular } from "../source/file-range.ts";
import { checkedBlob } from "./checked-blob.ts";
import type { Destination, Placed, PutOptions, ReadBlob } from "./destination.ts";
import { lockOwnDraft } from "./own-draft.ts";

const refName = "org.opencontainers.image.ref.name";
const draftSuffix = ".part";

interface Entry extends Record<string, unknown> {
  annotations?: Record<string, string>;
}

/** `oci:DIRECTORY[:TAG]`: an OCI layout (image-spec image-layout.md), made where there is none, else added to. */
export async function openOciDestination(
  name: string,
  directory: string,
  tag: string | undefined,
): Promise<Destination> {
  try {
    await mkdir(join(directory, "blobs/sha256"), { recursive: true });
  } catch (error) {
    throw withCause(`cannot write to ${name}`, error);
  }
  return new OciLayoutDestination(name, directory, tag);
}

/**
 * A file <name> is written as <name>.part and renamed when it is whole; whoever writes it holds the lock of that, so of several
 * commands one writes and the others wait, then find it. Where a command was killed the next takes its .part away.
 */
class OciLayoutDestination implements Destination {
  readonly name: string;
  readonly takesForeign = true;
  readonly #directory: string;
  readonly #tag: string | undefined;
  /** What is to be added to the index. */
  readonly #entries: Entry[] = [];

  constructor(name: string, directory: string, tag: string | undefined) {
    this.name = name;
    this.#directory = directory;
    this.#tag = tag;
  }

  async putBlob(blob: Descriptor, read: ReadBlob, { signal, onProgress }: PutOptions): Promise<Placed> {
    const path = this.#blob(blob.digest);
    if (sizeOf(path) === blob.size) return { how: "exists" };
    const isWritten = await this.#write(path, signal, async (fd) => {
      // Of somebody's that we have waited for.
      if (sizeOf(path) === blob.size) return false;
      let size = 0;
      for await (const chunk of checkedBlob(blob, read, signal)) {
        await writeAll(fd, chunk, size);
        size += chunk.length;
        onProgress(size);
      }
      return true;
    });
    return { how: isWritten ? "sent" : "exists" };
  }

  async putDocument({ digest, bytes }: RawBlob): Promise<void> {
    const path = this.#blob(digest);
    if (sizeOf(path) !== bytes.length) await this.#writeBytes(path, bytes);
  }

  async putImage(root: RawBlob, names: readonly Reference[]): Promise<void> {
    await this.putDocument(root);
    const { mediaType, digest, bytes } = root;
    const called = this.#tag === undefined ? names.map(canonical) : [this.#tag];
    const entry = { mediaType, digest, size: bytes.length };
    if (called.length === 0) this.#entries.push(entry);
    for (const each of called) this.#entries.push({ ...entry, annotations: { [refName]: each } });
  }

  async commit(): Promise<void> {
    await this.#writeBytes(join(this.#directory, "oci-layout"), encode({ imageLayoutVersion: "1.0.0" }));
    const path = join(this.#directory, "index.json");
    await this.#write(path, undefined, async (fd) => {
      const { manifests = [], ...others } = await this.#indexed(path);
      const kept = manifests.filter((old) => !this.#entries.some((each) => replaces(each, old)));
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, ...others };
      await writeAll(fd, encode({ ...index, manifests: [...kept, ...this.#entries] }), 0);
      return true;
    });
    this.#sweep();
  }

  /** `fill` writes the file, under the lock that others wait for, and answers whether that was needed. */
  async #write(
    path: string,
    signal: AbortSignal | undefined,
    fill: (fd: number) => Promise<boolean>,
  ): Promise<boolean> {
    try {
      using lock = await lockOwnDraft(path, signal);
      try {
        const isWritten = await fill(lock.fd);
        if (!isWritten) {
          lock.unlink();
          return false;
        }
        fchmodSync(lock.fd, 0o644 & ~process.umask());
        await synced(lock.fd);
        renameSync(lock.path, path);
        return true;
      } catch (error) {
        lock.unlink();
        throw error;
      }
    } catch (error) {
      throw withCause(`cannot write to ${this.name}`, error);
    }
  }

  async #writeBytes(path: string, bytes: Uint8Array): Promise<void> {
    await this.#write(path, undefined, async (fd) => {
      await writeAll(fd, bytes, 0);
      return true;
    });
  }

  async #indexed(path: string): Promise<{ manifests?: Entry[] }> {
    try {
      const what = `${this.name}: index.json`;
      // Whose directory it may be: a link of his would have us show others what only we may read.
      await using file = await openRegular(path, what);
      const { manifests, ...others } = objectIn(parseJson(await file.readFile(), what), what);
      const entries = optionalIn(manifests, what, arrayIn) ?? [];
      return { ...others, manifests: entries.map((entry) => objectIn(entry, what) as Entry) };
    } catch (error) {
      if (error instanceof RtError && error.code === "not-found") return {};
      throw error;
    }
  }

  /** What killed commands have left. */
  #sweep(): void {
    const blobs = join(this.#directory, "blobs/sha256");
    for (const entry of readdirSync(blobs, { withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith(draftSuffix)) continue;
      using lock = FileLock.try(join(blobs, entry.name));
      lock?.unlink();
    }
  }

  #blob(digest: Digest): string {
    return join(this.#directory, "blobs/sha256", hexOf(digest));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** One name leads to one image; one without a name is there once. */
function replaces(entry: Entry, old: Entry): boolean {
  const [name, before] = [entry.annotations?.[refName], old.annotations?.[refName]];
  return name === undefined ? before === undefined && entry.digest === old.digest : name === before;
}

function sizeOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size;
  } catch (error) {
    throw withCause(`cannot examine ${path}`, error);
  }
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
