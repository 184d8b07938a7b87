import { RtError } from "../base/errors.ts";
import type { Descriptor, RawBlob } from "../oci/descriptor.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { type Index, type Manifest, parseDocument } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { choose, hostPlatform, isArtifact } from "../oci/platform.ts";
import { canonical, familiar, type Reference } from "../reference/reference.ts";
import type { ArchiveOutput } from "./archive-file.ts";
import { checkedBlob } from "./checked-blob.ts";
import type { Destination, Placed, PutOptions, ReadBlob } from "./destination.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar-header.ts";

/** `oci`: a layout in a tar. `docker`: what docker save has written since 25, the same with manifest.json beside it. */
export type ArchiveForm = "oci" | "docker";

interface Saved {
  root: RawBlob;
  names: Reference[];
}

/**
 * Images in one tar, written in one pass: the same images in the same order are the same bytes.
 *
 *   blobs/sha256/<hex>   layers, configs, manifests, indexes: each once, whichever images share it
 *   manifest.json        docker: for engines of before 25, and for podman and skopeo
 *   index.json           what is called how
 *   oci-layout
 */
export class ArchiveDestination implements Destination {
  readonly name: string;
  readonly takesForeign = true;
  readonly #output: ArchiveOutput;
  readonly #form: ArchiveForm;
  /** In place of every image's own names: whatever an OCI layout may call it, or a reference. */
  readonly #called: string | Reference | undefined;
  readonly #blobs = new Map<Digest, Promise<void>>();
  readonly #documents = new Map<Digest, Manifest | Index>();
  readonly #images = new Map<Digest, Saved>();
  /** An entry begins where the one before has ended; after a failure none does. */
  #last: Promise<void> = Promise.resolve();

  constructor(name: string, output: ArchiveOutput, form: ArchiveForm, called?: string | Reference) {
    this.name = name;
    this.#output = output;
    this.#form = form;
    this.#called = called;
  }

  async putBlob(blob: Descriptor, read: ReadBlob, { signal, onProgress }: PutOptions): Promise<Placed> {
    const before = this.#blobs.get(blob.digest);
    if (before) {
      await before;
      return { how: "exists" };
    }
    const chunks = () => checkedBlob(blob, read, signal);
    const entry = this.#entry(`blobs/sha256/${hexOf(blob.digest)}`, blob.size, chunks, onProgress);
    this.#blobs.set(blob.digest, entry);
    await entry;
    return { how: "sent" };
  }

  async putDocument({ digest, mediaType, bytes }: RawBlob): Promise<void> {
    this.#documents.set(digest, parseDocument(bytes, mediaType, `the manifest ${digest}`));
    if (!this.#blobs.has(digest)) this.#blobs.set(digest, this.#file(`blobs/sha256/${hexOf(digest)}`, bytes));
    await this.#blobs.get(digest);
  }

  async putImage(root: RawBlob, names: readonly Reference[]): Promise<void> {
    await this.putDocument(root);
    const saved = this.#images.get(root.digest) ?? { root, names: [] };
    const isNew = (name: Reference) => !saved.names.some((other) => canonical(other) === canonical(name));
    saved.names.push(...(typeof this.#called === "object" ? [this.#called] : names).filter(isNew));
    this.#images.set(root.digest, saved);
  }

  async commit(): Promise<void> {
    const images = [...this.#images.values()];
    if (this.#form === "docker") await this.#file("manifest.json", encode(images.map(this.#dockerItem)));
    const { ociIndex: mediaType } = mediaTypes;
    const manifests = images.flatMap((image) => this.#indexEntries(image));
    await this.#file("index.json", encode({ schemaVersion: 2, mediaType, manifests }));
    await this.#file("oci-layout", encode({ imageLayoutVersion: "1.0.0" }));
    await this.#output.write(tarEnd);
    await this.#output.finish();
  }

  #file(name: string, bytes: Uint8Array): Promise<void> {
    return this.#entry(name, bytes.length, async function* () {
      yield bytes;
    });
  }

  #entry(
    name: string,
    size: number,
    chunks: () => AsyncIterable<Uint8Array>,
    onProgress: (bytes: number) => void = () => {},
  ): Promise<void> {
    const before = this.#last;
    const write = async () => {
      await before;
      await this.#output.write(tarHeader(name, size));
      let written = 0;
      for await (const chunk of chunks()) {
        await this.#output.write(chunk);
        written += chunk.length;
        onProgress(written);
      }
      await this.#output.write(tarPadding(size));
    };
    this.#last = write();
    this.#last.catch(() => undefined); // Whoever asked for it is told, and whoever comes next.
    return this.#last;
  }

  #indexEntries({ root: { mediaType, digest, bytes }, names }: Saved): object[] {
    const entry = { mediaType, digest, size: bytes.length };
    const annotations =
      typeof this.#called === "string" ? [{ [refName]: this.#called }] : names.map(this.#annotations);
    return annotations.length === 0 ? [entry] : annotations.map((each) => ({ ...entry, annotations: each }));
  }

  readonly #annotations = (name: Reference): Record<string, string> =>
    this.#form === "oci"
      ? { [refName]: canonical(name) }
      : { [containerdName]: canonical(name), [refName]: name.tag ?? "" };

  /** Of several platforms it knows one: this machine's, or else the first. */
  readonly #dockerItem = ({ root, names }: Saved): object => {
    const { config, layers } = this.#manifestOf(root.digest);
    return {
      Config: `blobs/sha256/${hexOf(config.digest)}`,
      RepoTags: names.length > 0 ? names.map(familiar) : null,
      Layers: layers.map(({ digest }) => `blobs/sha256/${hexOf(digest)}`),
    };
  };

  #manifestOf(digest: Digest): Manifest {
    const document = this.#documents.get(digest);
    if (document?.kind === "manifest") return document;
    const there = document?.manifests.filter((entry) => !isArtifact(entry)) ?? [];
    return this.#manifestOf(entryOfHost(there, this.name).digest as Digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nobody may write to it any more when it is closed.
    await this.#last.catch(() => undefined);
    this.#output[Symbol.dispose]();
  }
}

const refName = "org.opencontainers.image.ref.name";
const containerdName = "io.containerd.image.name";

function entryOfHost(entries: Index["manifests"], what: string): Index["manifests"][number] {
  try {
    return choose(entries, hostPlatform(), what);
  } catch (error) {
    if (error instanceof RtError && error.code === "unsupported" && entries[0]) return entries[0];
    throw error;
  }
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
