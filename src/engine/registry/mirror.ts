import { RtError } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content-store.ts";
import type { Ingest } from "../../content/ingest.ts";
import type { ManifestName } from "../../distribution/route.ts";
import type { ServedBlob } from "../../distribution/store.ts";
import type { RepositoryStore } from "../../image/repository-store.ts";
import { type Digest, digestOf, isDigest } from "../../oci/digest.ts";
import { parseDocument, type RawDocument } from "../../oci/manifest.ts";
import { isOutOfReach } from "../../registry/retry.ts";
import type { Source } from "../../source/source.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { Arrival } from "./arrival.ts";
import { manifestFacts } from "./manifest-facts.ts";

export interface MirrorOptions {
  host: Host;
  content: ContentStore;
  rows: RepositoryStore;
  /** Whose repositories these are: "docker.io". */
  domain: string;
  open: (reference: string) => Promise<Source>;
  /** Something more is in the store. */
  onArrived: () => void;
  /** For so long a tag is believed to lead where it did. */
  age_ms?: number;
}

const away_ms = 30_000;

/** Pull-through: what the repositories of one other registry have, brought here when somebody asks for it. */
export class Mirror implements Disposable {
  readonly #options: MirrorOptions;
  /** What is being asked of upstream: once, however many want it. */
  readonly #asking = new Map<string, Promise<void>>();
  readonly #arriving = new Map<Digest, Promise<Arrival>>();
  readonly #closing = new AbortController();
  /** Until then upstream is not asked about what is here: it could not be reached. */
  #awayUntil = 0;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  get domain(): string {
    return this.#options.domain;
  }

  has(repository: string): boolean {
    return repository.startsWith(`${this.#options.domain}/`);
  }

  /**
   * Afterwards what upstream has under this name is here, too. Where upstream has none, or cannot be reached and something is
   * here, that is no failure.
   */
  async manifest(repository: string, name: ManifestName): Promise<void> {
    if (this.#isFresh(repository, name)) return;
    if (Date.now() < this.#awayUntil && this.#isHere(repository, name)) return;
    const key = `${repository} ${"tag" in name ? name.tag : name.digest}`;
    let asking = this.#asking.get(key);
    if (!asking) {
      asking = this.#bring(repository, name).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    await asking;
  }

  #isFresh(repository: string, name: ManifestName): boolean {
    const { rows, content, age_ms = 60_000 } = this.#options;
    if ("digest" in name) {
      const known = rows.manifest(repository, name.digest) ?? rows.ofLocalImage(repository, name.digest);
      return known !== undefined && content.has(name.digest);
    }
    const row = rows.tag(repository, name.tag);
    return row?.checked != null && Date.now() - row.checked < age_ms && content.has(row.digest);
  }

  async #bring(repository: string, name: ManifestName): Promise<void> {
    const { rows, open, content } = this.#options;
    const source = await open(`${repository}${"tag" in name ? `:${name.tag}` : `@${name.digest}`}`);
    try {
      const row = "tag" in name ? rows.tag(repository, name.tag) : undefined;
      const isSame = row && content.has(row.digest) && (await source.head?.()) === row.digest;
      // Unless it has been forgotten meanwhile.
      if (isSame && "tag" in name && rows.checkTag(repository, name.tag, row.digest, Date.now())) return;
      await this.#store(repository, name, await source.root());
    } catch (error) {
      if (!(error instanceof RtError)) throw error;
      const isGone = error.code === "not-found" || error.code === "unauthorized";
      if (isGone && "tag" in name) rows.removeTag(repository, name.tag);
      if (isOutOfReach(error)) this.#awayUntil = Date.now() + away_ms;
      if (!isGone && !this.#isHere(repository, name)) throw error;
    } finally {
      await source.close();
    }
  }

  #isHere(repository: string, name: ManifestName): boolean {
    const { rows } = this.#options;
    if (!("tag" in name)) return false;
    return (rows.tag(repository, name.tag) ?? rows.localName(`${repository}:${name.tag}`)) !== undefined;
  }

  async #store(repository: string, name: ManifestName, { bytes, contentType }: RawDocument): Promise<void> {
    const { host, content, rows } = this.#options;
    const digest = digestOf(bytes);
    const document = parseDocument(bytes, contentType, "the manifest");
    const named = document.kind === "index" ? document.manifests : [document.config, ...document.layers];
    const references = named.flatMap(({ digest, size }) => (isDigest(digest) ? [{ digest, size }] : []));
    using _ = await protect(host, [digest]);
    await content.put(digest, bytes);
    const facts = manifestFacts(bytes, document);
    const { mediaType } = document;
    rows.transaction(() => {
      rows.putManifest(repository, {
        digest,
        mediaType,
        size: bytes.length,
        references,
        mirrored: true,
        ...facts,
      });
      if ("tag" in name) rows.putTag(repository, name.tag, digest, Date.now());
    });
  }

  /** Only of what a manifest that is here names: that also says how large it is. */
  async blob(repository: string, digest: Digest): Promise<ServedBlob | undefined> {
    const { content, rows } = this.#options;
    const size = rows.sizeOf(repository, digest);
    if (size === undefined) return undefined;
    if (content.has(digest)) return { size, path: content.path(digest) };
    let arriving = this.#arriving.get(digest);
    if (!arriving) {
      arriving = this.#begin(repository, { digest, size, mediaType: "" });
      this.#arriving.set(digest, arriving);
      const forget = () => this.#arriving.delete(digest);
      arriving.then((arrival) => arrival.over.then(forget, forget), forget);
    }
    const arrival = await arriving;
    try {
      await arrival.begun();
    } catch (error) {
      if (error instanceof RtError && error.code === "not-found") return undefined;
      throw error;
    }
    return { size, read: (start, end) => arrival.read(start, end) };
  }

  async #begin(
    repository: string,
    blob: { digest: Digest; size: number; mediaType: string },
  ): Promise<Arrival> {
    const { content, open, host, onArrived } = this.#options;
    const source = await open(repository);
    const { signal } = this.#closing;
    const lease = await protect(host, [blob.digest]);
    let ingest: Ingest;
    try {
      ingest = await content.ingest(blob, { signal });
    } catch (error) {
      lease[Symbol.dispose]();
      await source.close();
      throw error;
    }
    const arrival = new Arrival(ingest, content.path(blob.digest), (offset) =>
      source.fetch(blob, offset, signal),
    );
    arrival.over
      .then(onArrived, () => undefined)
      .finally(() => {
        lease[Symbol.dispose]();
        return source.close();
      });
    return arrival;
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
  }
}
