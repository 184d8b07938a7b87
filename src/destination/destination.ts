import type { Descriptor, RawBlob } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../reference/reference.ts";

/**
 * Where images go: the other end of source/source.ts. A registry, an OCI layout and an archive all take the same three
 * things, so push, save and copying from one registry to another are one way (image/send.ts):
 *
 *   await using destination = await openDestination("oci:/tmp/x:latest", options)     // open.ts
 *   await destination.putBlob(layer, source.fetch, …)     several at once; asks for bytes only where they are missing
 *   await destination.putDocument(manifest)               below the root, after all that it names
 *   await destination.putImage(root, names)               the last of an image: from then on its names lead to it
 *   await destination.commit()                            what is one file becomes visible, by a rename
 *
 * What is not committed leaves nothing that could be taken for whole; what a registry has of a cut upload is gone on with.
 */
export interface Destination extends AsyncDisposable {
  /** What the user sees: "docker.io/library/alpine:3.20", "oci:/tmp/x:latest". */
  readonly name: string;
  /** Does it hold layers that are licensed elsewhere (foreign)? Registries have no use for them. */
  readonly takesForeign: boolean;
  /** How many blobs to offer it at once; four unless it says. How many of them travel at once is its own business. */
  readonly atOnce?: number;
  /** What is about to come, before anything of it: for who asks for the parts of an image in an order of its own. */
  announce?(image: ComingImage): Promise<void>;
  /** @throws unauthorized | unavailable | exhausted | data-loss (what was read is not the blob) | whatever `read` throws */
  putBlob(blob: Descriptor, read: ReadBlob, options: PutOptions): Promise<Placed>;
  /** A manifest or index that another document names. */
  putDocument(document: RawBlob): Promise<void>;
  /** @param names what the image is to be called there; one that has a name of its own ("oci:DIR:TAG") keeps to that */
  putImage(root: RawBlob, names: readonly Reference[]): Promise<void>;
  commit(): Promise<void>;
}

/** All that an image is made of. */
export interface ComingImage {
  root: RawBlob;
  /** Below the root. */
  documents: readonly RawBlob[];
  /** Configs and layers. */
  blobs: ReadonlyMap<Digest, Descriptor>;
  names: readonly Reference[];
  read: ReadBlob;
}

/** A blob's bytes from `offset` on; as Source.fetch, and like it not checked. Each chunk is the taker's from then on. */
export type ReadBlob = (blob: Descriptor, offset: number, signal?: AbortSignal) => AsyncIterable<Uint8Array>;

/** How a blob came to be there. */
export type Placed = { how: "sent" | "exists" } | { how: "mounted"; from: string };

export interface PutOptions {
  signal: AbortSignal;
  /** Bytes that are there so far. */
  onProgress: (bytes: number) => void;
  /** Repositories "host/path" that are known to have the blob: at the same registry it need not travel. */
  elsewhere: readonly string[];
}

/** What an image became at a destination: as docker's "digest: sha256:… size: 1234" tells it. */
export interface SentImage {
  digest: Digest;
  mediaType: string;
  size: number;
}
