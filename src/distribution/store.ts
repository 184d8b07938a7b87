import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ManifestName, Page } from "./route.ts";

/**
 * What the protocol is about. HTTP is server.ts's business, what a repository is the store's; names and digests come to it
 * checked for their form and for nothing else.
 *
 *   const repository = await store.repository("library/alpine")
 *   const id = repository.startUpload(client)
 *   using upload = await repository.upload(id); upload.write(bytes); await upload.commit(digest)
 *   await repository.putManifest({ tag: "3.20" }, { bytes, contentType })
 *
 * Failures are ProtocolErrors, or RtErrors of the store's own.
 */
export interface DistributionStore {
  /** Of a mirror: whose images it has, "docker.io". */
  readonly upstream: string | undefined;
  /** Names, sorted, one more than there is in the page where there are more. */
  repositories(page: Page): string[];
  /** @throws ProtocolError NAME_INVALID. Whether it is known is another question: a first push makes it */
  repository(name: string): ServedRepository;
}

export interface ServedManifest {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array;
}

export interface ReceivedManifest {
  bytes: Uint8Array;
  contentType: string | null;
}

/** A blob that is here, or is on its way in from upstream. */
export interface ServedBlob {
  size: number;
  /** The file that has all of it; undefined where it still grows. */
  path?: string;
  /** Of one that grows. An error breaks the connection: what came is not what was asked for. */
  read?: (start: number, end: number) => ReadableStream<Uint8Array>;
}

export interface ServedUpload extends Disposable {
  readonly size: number;
  /** So many bytes are promised. @throws ProtocolError TOOMANYREQUESTS: there is no room for them */
  expect(bytes: number): void;
  /** @throws as `expect`; RtError exhausted: the disk is full, and the upload is gone */
  write(chunk: Uint8Array): void;
  /** From then on the blob is there. @throws ProtocolError DIGEST_INVALID, and the upload is gone */
  commit(digest: Digest): Promise<void>;
  cancel(): void;
}

export interface ReferrerDescriptor extends Descriptor {
  artifactType?: string | undefined;
}

export interface ServedRepository {
  /** It is a mirror of another registry's, or all of them are not to be changed. */
  readonly isReadOnly: boolean;
  /** All of them, sorted. @throws ProtocolError NAME_UNKNOWN */
  tags(): string[];
  manifest(name: ManifestName): Promise<ServedManifest | undefined>;
  /** @returns its digest, and what it says that it is about */
  putManifest(name: ManifestName, manifest: ReceivedManifest): Promise<{ digest: Digest; subject?: Digest }>;
  /** @returns false: there is none */
  deleteManifest(name: ManifestName): Promise<boolean>;
  referrers(subject: Digest, filter: Page & { artifactType: string | undefined }): ReferrerDescriptor[];
  /** @param toName somebody looks whether it is there, perhaps to name it in a manifest: it stays for a while */
  blob(digest: Digest, toName?: boolean): Promise<ServedBlob | undefined>;
  deleteBlob(digest: Digest): Promise<boolean>;
  /** Have a blob of another repository here too. @returns false: that has none */
  mount(digest: Digest, from: ServedRepository): Promise<boolean>;
  /** @returns a UUID @throws ProtocolError TOOMANYREQUESTS */
  startUpload(client: string): string;
  /** Bytes that are here; undefined where there is no such upload in this repository. */
  uploadSize(id: string): number | undefined;
  /** Waits a little for whoever has it. */
  upload(id: string): Promise<ServedUpload | undefined>;
}
