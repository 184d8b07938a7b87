import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOf, isDigest } from "../oci/digest.ts";
import { documentBytesMax, shown } from "../oci/json.ts";
import type { RawDocument } from "../oci/manifest.ts";
import { acceptedManifests, isForeignLayerType } from "../oci/media-types.ts";
import { canonical, type Reference, repositoryOf } from "../reference/reference.ts";
import { fetchBlob } from "./blob.ts";
import { endpointsOf } from "./endpoint.ts";
import { EndpointClient } from "./endpoint-client.ts";
import type { Limits } from "./limits.ts";
import { credentialsFor, limitsFor, type RegistryOptions } from "./options.ts";
import { retrying } from "./retry.ts";

export type { RegistryOptions } from "./options.ts";

/**
 * The distribution client of one repository. Each request goes to the mirrors in turn and at last to the registry; a
 * mirror that fails (other than by not having a thing) is not asked again.
 */
export class RegistryClient {
  /** For messages. */
  readonly #name: string;
  readonly #clients: readonly EndpointClient[];
  readonly #failed = new Set<EndpointClient>();
  /** Who gave bytes of a blob, by its digest. */
  readonly #givers = new Map<Digest, Set<EndpointClient>>();
  readonly #limits: Limits;
  readonly #warn: (line: string) => void;
  readonly #closing = new AbortController();

  constructor(reference: Reference, options: RegistryOptions) {
    const limits = limitsFor(options);
    this.#name = canonical(reference);
    this.#limits = limits;
    this.#warn = options.warn;
    this.#clients = endpointsOf(reference, options.config, options.tlsVerify ?? true).map((endpoint) => {
      const repository = endpoint.mirror ? `${endpoint.host}/${reference.path}` : repositoryOf(reference);
      const { given: _, ...others } = options;
      const find = credentialsFor(repository, endpoint.mirror ? others : options, limits);
      return new EndpointClient(endpoint, reference.path, find, limits, this.#closing.signal);
    });
  }

  /**
   * A manifest or an index, from the first endpoint that has it.
   * @param name a tag, or a digest, which the bytes are checked against
   * @throws not-found | unauthorized | unavailable | data-loss
   */
  async document(name: string | Digest): Promise<RawDocument> {
    const clients = this.#usable();
    for (const client of clients.slice(0, -1)) {
      try {
        return await this.#documentAt(client, name);
      } catch (error) {
        this.#passOver(client, error);
      }
    }
    return this.#documentAt(clients.at(-1)!, name);
  }

  /**
   * The digest that a tag leads to, without its bytes; a registry counts that as no pull. Undefined where it does not say.
   * @throws as `document`
   */
  async head(tag: string): Promise<Digest | undefined> {
    const client = this.#usable().at(-1)!;
    const signal = this.#until(undefined);
    return retrying(this.#limits, signal, async () => {
      const headers = { Accept: acceptedManifests };
      const asked = { method: "HEAD", target: `manifests/${tag}`, headers, accepted: [200], signal } as const;
      const answer = await client.request(asked);
      await answer.finish();
      const digest = answer.headers.get("docker-content-digest");
      return isDigest(digest) ? digest : undefined;
    });
  }

  /** A blob's bytes from `offset` on. Transient faults are retried, and the rest asked of the next endpoint. */
  async *fetch(blob: Descriptor, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const either = this.#until(signal);
    const clients = this.#usable();
    let position = offset;
    for (const [i, client] of clients.entries()) {
      try {
        for await (const chunk of fetchBlob(client, blob, position, this.#limits, either)) {
          if (client.endpoint.mirror) this.#remember(blob.digest, client);
          position += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        const last = i === clients.length - 1;
        if (last) throw foreignOr(error, blob);
        this.#passOver(client, error);
      }
    }
  }

  /** What `fetch` gave for this blob was wrong. @returns whether asking again may give something else */
  distrust(blob: Descriptor): boolean {
    const mirrors = this.#givers.get(blob.digest);
    this.#givers.delete(blob.digest);
    for (const client of mirrors ?? []) {
      this.#passOver(client, new RtError("data-loss", `what it sent for ${blob.digest} is something else`));
    }
    return mirrors !== undefined;
  }

  #remember(digest: Digest, client: EndpointClient): void {
    const givers = this.#givers.get(digest);
    if (givers) givers.add(client);
    else this.#givers.set(digest, new Set([client]));
  }

  close(): void {
    this.#closing.abort();
  }

  #documentAt(client: EndpointClient, name: string | Digest): Promise<RawDocument> {
    const signal = this.#until(undefined);
    return retrying(this.#limits, signal, async () => {
      const answer = await client.get(`manifests/${name}`, { Accept: acceptedManifests }, signal);
      const bytes = await answer.bytes(documentBytesMax, `the manifest of ${this.#name}`);
      const claimed = answer.headers.get("docker-content-digest");
      this.#checkDigest(bytes, isDigest(name) ? name : claimed, answer.url.host);
      return { bytes, contentType: answer.headers.get("content-type") };
    });
  }

  /** Asked by digest, that digest decides; asked by tag, the registry's own header does. Other algorithms say nothing. */
  #checkDigest(bytes: Uint8Array, expected: string | null, host: string): void {
    if (expected === null || (!isDigest(expected) && !expected.startsWith("sha256:"))) return;
    const actual = digestOf(bytes);
    if (actual === expected) return;
    throw new RtError(
      "data-loss",
      `${host} sends a manifest of ${this.#name} whose digest is ${actual}, not ${shown(expected)}: refused`,
    );
  }

  #usable(): EndpointClient[] {
    return this.#clients.filter((client) => !this.#failed.has(client));
  }

  /** Goes on to the next endpoint, unless the user gave up. */
  #passOver(client: EndpointClient, error: unknown): void {
    if (!(error instanceof RtError) || error.code === "cancelled") throw error;
    if (error.code === "not-found") return;
    if (this.#failed.has(client)) return;
    this.#failed.add(client);
    this.#warn(`mirror ${client.endpoint.host} is left out: ${error.message}`);
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
  }
}

/** A foreign layer that the registry does not hold lies at some URL in the manifest, where rt does not go. */
function foreignOr(error: unknown, blob: Descriptor): unknown {
  const missing = error instanceof RtError && error.code === "not-found";
  if (!missing || !isForeignLayerType(blob.mediaType)) return error;
  return new RtError(
    "unsupported",
    `layer ${blob.digest} is a foreign layer that the registry does not hold; rt does not fetch from elsewhere`,
    { cause: error },
  );
}
