import { RtError } from "../../base/errors.ts";
import { invalidManifest } from "../../distribution/manifests.ts";
import { ProtocolError } from "../../distribution/protocol-error.ts";
import type { ManifestName, Page } from "../../distribution/route.ts";
import type {
  ReceivedManifest,
  ReferrerDescriptor,
  ServedBlob,
  ServedManifest,
  ServedRepository,
  ServedUpload,
} from "../../distribution/store.ts";
import type { LocalName } from "../../image/repository-store.ts";
import { type Digest, digestOf, isDigest } from "../../oci/digest.ts";
import { type Index, type Manifest, parseDocument } from "../../oci/manifest.ts";
import { isForeignLayerType, isIndexType, isManifestType } from "../../oci/media-types.ts";
import { familiar, parse } from "../../reference/reference.ts";
import { withReserve } from "../../store/reserve.ts";
import { isForeignKeyViolation } from "../../store/sqlite-error.ts";
import { protect } from "../care/collect.ts";
import { imageEvent } from "../record-event.ts";
import { type ManifestFacts, manifestFacts } from "./manifest-facts.ts";
import { receiveImage } from "./received-image.ts";
import type { Shared } from "./shared.ts";
import { RepositoryUpload } from "./upload.ts";
import { unlessFull } from "./upload-room.ts";

/** Of one client, at once: those that were gone on with within the hour. */
const uploadsMax = 1000;
const hour_ms = 3600_000;
const minute_ms = 60_000;
const indexDepthMax = 4;
const attemptsMax = 5;

/**
 * One repository. What it has is what was pushed to it, and what images here are called in it: their manifests and blobs, and
 * those of the indexes that they came by, where those are here. Other repositories' bytes cannot be had from it, though they
 * lie in the same store.
 */
export class Repository implements ServedRepository {
  readonly #shared: Shared;
  /** "docker.io/library/alpine" */
  readonly #key: string;

  constructor(shared: Shared, key: string) {
    this.#shared = shared;
    this.#key = key;
  }

  get isReadOnly(): boolean {
    return this.#shared.mirror?.has(this.#key) === true;
  }

  tags(): string[] {
    const { rows } = this.#shared;
    const prefix = `${this.#key}:`;
    const local = rows.localNames(this.#key).flatMap(({ name }) => {
      return name.startsWith(prefix) ? [name.slice(prefix.length)] : [];
    });
    if (!rows.isKnown(this.#key)) throw new ProtocolError("NAME_UNKNOWN", "there is no such repository here");
    return [...new Set([...local, ...rows.tags(this.#key)])].sort();
  }

  async manifest(name: ManifestName): Promise<ServedManifest | undefined> {
    const { content, mirror, rows } = this.#shared;
    if (mirror?.has(this.#key)) await mirror.manifest(this.#key, name);
    const digest = "digest" in name ? name.digest : this.#digestOf(name.tag);
    const mediaType = digest && content.has(digest) ? this.#documentType(digest) : undefined;
    if (digest === undefined || mediaType === undefined) return undefined;
    unlessFull(() => rows.useManifest(this.#key, digest));
    return { digest, mediaType, bytes: content.read(digest) };
  }

  /** Where a tag leads: to the index that an image came by if all of that is here, else to the image's manifest. */
  #digestOf(tag: string): Digest | undefined {
    const { rows, mirror, host } = this.#shared;
    const pushed = rows.tag(this.#key, tag);
    // What upstream said last is newer than what was once pulled from there.
    if (pushed && mirror?.has(this.#key)) return pushed.digest;
    const local = rows.localName(`${this.#key}:${tag}`);
    if (!local) return pushed?.digest;
    if (this.#isWhole(local.target, 0, new Map())) return local.target;
    return host.images.find(local.image)?.manifest.digest;
  }

  /** @returns the media type, of what is a manifest or an index of this repository */
  #documentType(digest: Digest): string | undefined {
    const { rows } = this.#shared;
    const own = rows.manifest(this.#key, digest)?.mediaType ?? rows.ofLocalImage(this.#key, digest);
    if (isDocumentType(own)) return own;
    // What one image calls a layer, to be known by that type ever after, another may have as its manifest.
    const named = this.#shared.pulled.namedIn(this.#key).get(digest);
    if (isDocumentType(named)) return named;
    // An index that was pushed may name what was an image here then.
    return rows.namedBy(this.#key, digest) && this.#shared.documents.get(digest)?.mediaType;
  }

  async putManifest(
    name: ManifestName,
    { bytes, contentType }: ReceivedManifest,
  ): Promise<{ digest: Digest; subject?: Digest }> {
    const { host, content } = this.#shared;
    const digest = digestOf(bytes);
    const { document, references, ...facts } = readManifest(bytes, contentType);
    using _ = await protect(host, [digest, ...references.map((each) => each.digest)]);
    for (const reference of references) this.#require(reference, document.kind === "index");
    await content.put(digest, bytes);
    content.sync();
    const record = () => this.#record(name, { bytes, digest, document, references, facts });
    await againIfRaced(record);
    return { digest, ...(facts.subject && { subject: facts.subject }) };
  }

  /** Its bytes are here. @throws the database's own error where its image is removed in between */
  async #record(name: ManifestName, { bytes, digest, document, references, facts }: Pushed): Promise<void> {
    const { host, rows, limit } = this.#shared;
    const tag = "tag" in name ? name.tag : undefined;
    const full = `${this.#key}:${tag}`;
    const root = { bytes, contentType: document.mediaType };
    const image = tag && (await receiveImage(host, full, root, (blob) => this.#hasWhole(blob)));
    const manifest = { digest, mediaType: document.mediaType, size: bytes.length, references, ...facts };
    const untagged = rows.transaction(() => {
      rows.putManifest(this.#key, { ...manifest, ...(image && { image }) });
      if (tag && !image) rows.putTag(this.#key, tag, digest);
      if (tag && image) rows.removeTag(this.#key, tag);
      const parts = references.map((each) => each.digest);
      if (image && document.kind === "index") rows.belong(this.#key, parts, digest, image);
      // What the tag was before, it is no longer.
      const before = tag && !image ? rows.localName(full) : undefined;
      if (before) rows.untag(full);
      return before;
    });
    if (untagged) this.#tellUntagged(untagged);
    if (image) imageEvent(host, "load", image, full);
    limit.arrived(image || undefined);
  }

  /** @throws ProtocolError MANIFEST_BLOB_UNKNOWN unless this repository has it; MANIFEST_INVALID: its size is another */
  #require({ digest, size }: Named, isDocument: boolean): void {
    const actual = this.#shared.content.size(digest);
    const isOwn = isDocument ? this.#documentType(digest) !== undefined : this.#hasBlob(digest);
    if (actual === undefined || !isOwn)
      throw new ProtocolError(
        "MANIFEST_BLOB_UNKNOWN",
        `${digest}, which it names, is not in this repository`,
      );
    if (actual !== size)
      throw new ProtocolError("MANIFEST_INVALID", `${digest} has ${actual} bytes, not ${size}`);
  }

  /** Also of what a manifest may name though it is not here: it could be another repository's, which is here. */
  #hasWhole({ digest, size }: Named): boolean {
    return this.#shared.content.size(digest) === size && this.#hasBlob(digest);
  }

  async deleteManifest(name: ManifestName): Promise<boolean> {
    const { host } = this.#shared;
    return withReserve(host.paths.root, () =>
      "digest" in name ? this.#deleteByDigest(name.digest) : this.#deleteTag(name.tag),
    );
  }

  #deleteTag(tag: string): boolean {
    const { rows } = this.#shared;
    const full = `${this.#key}:${tag}`;
    const { local, isGone } = rows.transaction(() => {
      const local = rows.localName(full);
      rows.untag(full);
      return { local, isGone: rows.removeTag(this.#key, tag) || local !== undefined };
    });
    if (local) this.#tellUntagged(local);
    return isGone;
  }

  /** Its names in this repository go too, and an image here that has no other and no container. */
  #deleteByDigest(digest: Digest): boolean {
    const { host, rows, released } = this.#shared;
    const names = rows.localNames(this.#key).filter((name) => this.#leadsTo(name, digest));
    const { gone, untagged } = rows.transaction(() => {
      const untagged = names.filter(({ name }) => rows.untag(name));
      return { gone: rows.removeManifest(this.#key, digest), untagged };
    });
    for (const name of untagged) this.#tellUntagged(name);
    for (const image of new Set(names.map((name) => name.image))) released.add(removeNameless(host, image));
    if (gone) released.add(gone);
    return gone !== undefined || names.length > 0;
  }

  #tellUntagged({ name, image }: LocalName): void {
    imageEvent(this.#shared.host, "untag", image, familiar(parse(name)));
  }

  #leadsTo({ target, image }: LocalName, digest: Digest): boolean {
    return target === digest || this.#manifestOf(image) === digest;
  }

  /** Of a damaged image nobody knows it. */
  #manifestOf(image: Digest): Digest | undefined {
    try {
      return this.#shared.host.images.find(image)?.manifest.digest;
    } catch (error) {
      if (error instanceof RtError) return undefined;
      throw error;
    }
  }

  referrers(subject: Digest, filter: Page & { artifactType: string | undefined }): ReferrerDescriptor[] {
    const found = this.#shared.rows.referrers(this.#key, subject, filter);
    return found.map(({ mediaType, digest, size, annotations, artifactType }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      ...(annotations && Object.keys(annotations).length > 0 && { annotations: { ...annotations } }),
    }));
  }

  async blob(digest: Digest, toName = false): Promise<ServedBlob | undefined> {
    const { content, mirror, rows } = this.#shared;
    const size = this.#hasBlob(digest) ? content.size(digest) : undefined;
    if (size === undefined) return mirror?.has(this.#key) ? mirror.blob(this.#key, digest) : undefined;
    const used = rows.blobUsed(this.#key, digest);
    if (toName && !this.isReadOnly && Date.now() - (used ?? 0) > minute_ms)
      unlessFull(() => rows.putBlob(this.#key, digest));
    return { size, path: content.path(digest) };
  }

  /** Was it pushed here, or does anything here name it? */
  #hasBlob(digest: Digest): boolean {
    const { rows, pulled } = this.#shared;
    return (
      rows.blobUsed(this.#key, digest) !== undefined ||
      rows.sizeOf(this.#key, digest) !== undefined ||
      rows.ofLocalImage(this.#key, digest) !== undefined ||
      rows.manifest(this.#key, digest) !== undefined ||
      pulled.namedIn(this.#key).has(digest)
    );
  }

  /** @param known what was looked at already: an index may name one thing a thousand times over, and that another */
  #isWhole(digest: Digest, depth: number, known: Map<Digest, boolean>): boolean {
    const before = known.get(digest);
    if (before !== undefined) return before;
    const document = depth > indexDepthMax ? undefined : this.#shared.documents.get(digest);
    const isHere =
      document?.named.every(
        (entry) =>
          isDigest(entry.digest) &&
          (document.isIndex
            ? this.#isWhole(entry.digest, depth + 1, known)
            : this.#shared.content.has(entry.digest)),
      ) ?? false;
    known.set(digest, isHere);
    return isHere;
  }

  async deleteBlob(digest: Digest): Promise<boolean> {
    const { host, rows, released } = this.#shared;
    const user = rows.namedBy(this.#key, digest);
    if (user) throw new ProtocolError("UNSUPPORTED", `manifest ${user} needs it: delete that first`);
    if (rows.ofLocalImage(this.#key, digest) !== undefined)
      throw new ProtocolError("UNSUPPORTED", "an image needs it: delete its manifest first");
    if (!(await withReserve(host.paths.root, () => rows.removeBlob(this.#key, digest)))) return false;
    released.add([digest]);
    return true;
  }

  async mount(digest: Digest, from: ServedRepository): Promise<boolean> {
    const { host, rows } = this.#shared;
    using _ = await protect(host, [digest]);
    if (!(await from.blob(digest))?.path) return false;
    rows.putBlob(this.#key, digest);
    return true;
  }

  startUpload(client: string): string {
    const { rows } = this.#shared;
    if (rows.uploadsOf(client, Date.now() - hour_ms) >= uploadsMax)
      throw new ProtocolError("TOOMANYREQUESTS", `${uploadsMax} uploads of yours are not finished`);
    const id = crypto.randomUUID();
    rows.putUpload(id, this.#key, client);
    return id;
  }

  uploadSize(id: string): number | undefined {
    const { rows, content } = this.#shared;
    return rows.uploader(id, this.#key) !== undefined ? (content.uploadSize(id) ?? 0) : undefined;
  }

  async upload(id: string): Promise<ServedUpload | undefined> {
    return RepositoryUpload.open(this.#shared, this.#key, id);
  }
}

interface Named {
  digest: Digest;
  size: number;
}

interface Pushed {
  bytes: Uint8Array;
  digest: Digest;
  document: Manifest | Index;
  references: Named[];
  facts: ManifestFacts;
}

/** @throws ProtocolError: somebody removes time and again what this is about to refer to */
async function againIfRaced(record: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await record();
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error;
      if (attempt === attemptsMax)
        throw new ProtocolError("UNKNOWN", "its image is being removed: try again", {
          status: 409,
          cause: error,
        });
    }
  }
}

function isDocumentType(type: string | undefined): type is string {
  return type !== undefined && (isIndexType(type) || isManifestType(type));
}

/** What it says of itself, and what it names that must be here. @throws ProtocolError MANIFEST_INVALID */
function readManifest(bytes: Uint8Array, contentType: string | null) {
  try {
    const document = parseDocument(bytes, contentType, "the manifest");
    const references =
      document.kind === "index"
        ? document.manifests.map(({ digest, size }) => {
            if (isDigest(digest)) return { digest, size };
            throw new RtError("data-loss", "it names a digest that is not sha256's");
          })
        : // What is licensed elsewhere need not be here.
          [document.config, ...document.layers.filter(({ mediaType }) => !isForeignLayerType(mediaType))];
    return { document, references, ...manifestFacts(bytes, document) };
  } catch (error) {
    throw invalidManifest(error);
  }
}

/** @returns what perhaps nothing needs any more */
function removeNameless(host: Shared["host"], image: Digest): string[] {
  try {
    const { tags, digests } = host.images.get(image);
    if (tags.length + digests.length > 0) return [];
    const { released, deleted } = host.images.remove(image, { force: false, isRunning: () => true });
    if (deleted) imageEvent(host, "delete", deleted, deleted);
    return released;
  } catch (error) {
    // A container has it: it stays, without a name. Or somebody else was faster.
    if (error instanceof RtError && (error.code === "conflict" || error.code === "not-found")) return [];
    throw error;
  }
}
