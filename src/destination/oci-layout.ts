import { mkdir, open, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import type { Descriptor, RawBlob } from "../oci/descriptor.ts";
import { digestOf, hexOf } from "../oci/digest.ts";
import { arrayIn, objectIn, optionalIn, parseJson } from "../oci/json.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { canonical, type Reference } from "../reference/reference.ts";
import type { Destination, Placed, PutOptions, ReadBlob } from "./destination.ts";

const refName = "org.opencontainers.image.ref.name";

interface Entry extends Record<string, unknown> {
  annotations?: Record<string, string>;
}

/** `oci:DIRECTORY[:TAG]`: an OCI layout (image-spec image-layout.md), made where there is none, else added to. */
export async function openOciDestination(
  name: string,
  directory: string,
  tag: string | undefined,
): Promise<Destination> {
  await mkdir(join(directory, "blobs/sha256"), { recursive: true });
  return new OciLayoutDestination(name, directory, tag);
}

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
    const path = join(this.#directory, "blobs/sha256", hexOf(blob.digest));
    if (await isThere(path, blob.size)) return { how: "exists" };
    const draft = `${path}.${crypto.randomUUID()}`;
    const file = await open(draft, "wx", 0o644);
    try {
      const hash = new Bun.CryptoHasher("sha256");
      let size = 0;
      for await (const chunk of read(blob, 0, signal)) {
        await file.write(chunk);
        hash.update(chunk);
        size += chunk.length;
        onProgress(size);
      }
      if (size !== blob.size || `sha256:${hash.digest("hex")}` !== blob.digest) {
        throw new RtError("data-loss", `what was read of ${blob.digest} is something else: refused`);
      }
      await file.sync();
      await rename(draft, path);
      return { how: "sent" };
    } catch (error) {
      await unlink(draft);
      throw withCause(`cannot write to ${this.name}`, error);
    } finally {
      await file.close();
    }
  }

  async putDocument({ digest, bytes }: RawBlob): Promise<void> {
    const path = join(this.#directory, "blobs/sha256", hexOf(digest));
    if (!(await isThere(path, bytes.length))) await replace(path, bytes);
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
    const path = join(this.#directory, "index.json");
    await replace(join(this.#directory, "oci-layout"), encode({ imageLayoutVersion: "1.0.0" }));
    const kept = (await this.#indexed(path)).filter(
      (old) => !this.#entries.some((each) => replaces(each, old)),
    );
    const manifests = [...kept, ...this.#entries];
    await replace(path, encode({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  }

  async #indexed(path: string): Promise<Entry[]> {
    try {
      const what = `${this.name}: index.json`;
      const { manifests } = objectIn(parseJson(await readFile(path), what), what);
      return (optionalIn(manifests, what, arrayIn) ?? []).map((entry) => objectIn(entry, what) as Entry);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** One name leads to one image; one without a name is there once. */
function replaces(entry: Entry, old: Entry): boolean {
  const [name, before] = [entry.annotations?.[refName], old.annotations?.[refName]];
  return name === undefined ? before === undefined && entry.digest === old.digest : name === before;
}

async function isThere(path: string, size: number): Promise<boolean> {
  try {
    return (await stat(path)).size === size;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.${digestOf(bytes).slice(-12)}.${crypto.randomUUID()}`;
  await writeFile(draft, bytes);
  await rename(draft, path);
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
