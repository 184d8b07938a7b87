import { RtError } from "../base/errors.ts";
import type { Descriptor, RawBlob } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { acceptedManifests } from "../oci/media-types.ts";
import { type Reference, repositoryOf } from "../reference/reference.ts";
import type { Answer } from "./answer.ts";
import type { CutUploads } from "./cut-uploads.ts";
import { ownEndpoint } from "./endpoint.ts";
import { EndpointClient, type RepositoryRequest } from "./endpoint-client.ts";
import type { Limits } from "./limits.ts";
import { credentialsFor, limitsFor, type RegistryOptions } from "./options.ts";
import { isTransient, retrying } from "./retry.ts";
import { checkHop } from "./transport.ts";
import { BlobUpload } from "./upload.ts";
import {
  type BlobReader,
  checkTaken,
  receivedIn,
  type UploadRequests,
  type UploadSession,
} from "./upload-session.ts";

export interface PushClientOptions extends RegistryOptions {
  /** Without it, an upload that is cut with its process begins anew. */
  cutUploads?: CutUploads | undefined;
}

/** A mount that is refused leaves an upload behind: not more of them than this for one blob. */
const mountsMax = 3;

/**
 * The writing half of the distribution protocol (distribution-spec, "Push"), of one repository at the registry itself: a
 * mirror is never pushed to. What is asked for in between, and resumed, is upload.ts.
 */
export class PushClient implements UploadRequests {
  readonly #repository: string;
  readonly #path: string;
  readonly #client: EndpointClient;
  readonly #limits: Limits;
  readonly #cutUploads: CutUploads | undefined;
  readonly #closing = new AbortController();

  constructor(reference: Reference, options: PushClientOptions) {
    this.#limits = limitsFor(options);
    this.#repository = repositoryOf(reference);
    this.#path = reference.path;
    this.#cutUploads = options.cutUploads;
    const endpoint = ownEndpoint(reference, options.config, options.tlsVerify ?? true);
    const find = credentialsFor(this.#repository, options, this.#limits);
    const access = { actions: "pull,push" } as const;
    this.#client = new EndpointClient(endpoint, this.#path, find, this.#limits, this.#closing.signal, access);
    this.#client.begin();
  }

  /** What a registry says of another size is not this blob, and is sent again. */
  async hasBlob(blob: Descriptor, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask({
      method: "HEAD",
      target: `blobs/${blob.digest}`,
      accepted: [200, 404],
      signal,
    });
    const length = answer.headers.get("content-length");
    await answer.finish();
    return answer.status === 200 && (length === null || Number(length) === blob.size);
  }

  /** @param name a tag or a digest */
  async hasManifest(name: string, digest: Digest, signal: AbortSignal): Promise<boolean> {
    const headers = { Accept: acceptedManifests };
    const answer = await this.#ask({
      method: "HEAD",
      target: `manifests/${name}`,
      headers,
      accepted: [200, 404],
      signal,
    });
    await answer.finish();
    return answer.status === 200 && answer.headers.get("docker-content-digest") === digest;
  }

  /** @param name a tag or a digest. @throws data-loss where the registry makes something else of it */
  async putManifest(name: string, { digest, mediaType, bytes }: RawBlob, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask({
      method: "PUT",
      target: `manifests/${name}`,
      headers: { "Content-Type": mediaType },
      body: new Uint8Array(bytes),
      accepted: [200, 201, 202, 204],
      signal,
    });
    await answer.finish();
    checkTaken(answer, digest, this.#repository);
  }

  /**
   * The blob becomes one of this repository by being one of `from` ("host/path", at the same registry).
   * @returns an upload that has begun instead, or undefined: neither
   */
  async mount(
    blob: Descriptor,
    candidates: readonly string[],
    signal: AbortSignal,
  ): Promise<{ from: string } | UploadSession | undefined> {
    const host = this.#repository.slice(0, -this.#path.length);
    const paths = candidates
      .filter((each) => each.startsWith(host) && each !== this.#repository)
      .map((each) => each.slice(host.length));
    let begun: UploadSession | undefined;
    for (const path of paths.slice(0, mountsMax)) {
      if (begun) await this.cancel(begun, signal);
      begun = undefined;
      try {
        const answer = await this.#ask({
          method: "POST",
          target: `blobs/uploads/?${new URLSearchParams({ mount: blob.digest, from: path })}`,
          accepted: [201, 202],
          // A token server may give nothing at all where one of two scopes is too much: only this request asks for both.
          authorizer: this.#client.authorizerFor({ actions: "pull,push", from: path }),
          signal,
        });
        await answer.finish();
        if (answer.status === 201) return { from: host + path };
        begun = this.#sessionOf(answer);
      } catch (error) {
        // Registries that do not know mounts say so in many ways; what is wrong with all requests, the next one meets.
        if (!isOwnAnswer(error)) throw error;
      }
    }
    return begun;
  }

  /** Send what is missing of it. @param begun an upload that has begun already */
  async upload(
    blob: Descriptor,
    read: BlobReader,
    signal: AbortSignal,
    onProgress: (bytes: number) => void,
    begun?: UploadSession,
  ): Promise<void> {
    using note = await this.#cutUploads?.claim(this.#repository, blob.digest);
    await new BlobUpload(this, blob, read, { limits: this.#limits, note, signal, onProgress }).run(begun);
  }

  async begin(signal: AbortSignal): Promise<UploadSession> {
    const answer = await this.#ask({ method: "POST", target: "blobs/uploads/", accepted: [202], signal });
    await answer.finish();
    return this.#sessionOf(answer);
  }

  async status(url: URL, signal: AbortSignal): Promise<UploadSession | undefined> {
    // Whoever has left a note of it may have been allowed to do without TLS, and we are not.
    const mayBePlain = this.#client.endpoint.origins.some(({ protocol }) => protocol === "http:");
    if (url.protocol === "http:" && !mayBePlain) return undefined;
    try {
      const answer = await this.#ask({ target: url, accepted: [200, 202, 204], signal });
      await answer.finish();
      return this.#sessionOf(answer, url);
    } catch (error) {
      if (isOwnAnswer(error)) return undefined;
      throw error;
    }
  }

  async send(request: Omit<RepositoryRequest, "accepted">): Promise<Answer> {
    const answer = await this.#client.request({ ...request, accepted: [200, 201, 202, 204] });
    await answer.finish();
    return answer;
  }

  async cancel({ url }: UploadSession, signal: AbortSignal): Promise<void> {
    try {
      await this.send({ method: "DELETE", target: url, signal });
    } catch (error) {
      if (!(error instanceof RtError) || error.code === "cancelled") throw error;
    }
  }

  close(): void {
    this.#closing.abort();
  }

  get host(): string {
    return this.#client.endpoint.host;
  }

  locationIn(answer: Answer, known?: URL): URL {
    const location = answer.headers.get("location");
    if (location !== null) return checkHop(answer.url, answer.url, location, "wants an upload to go on at");
    if (known) return known;
    throw new RtError(
      "unavailable",
      `${this.host} begins an upload without saying where (${answer.status} without Location)`,
    );
  }

  #sessionOf(answer: Answer, known?: URL): UploadSession {
    const chunkBytesMin = Number(answer.headers.get("oci-chunk-min-length") ?? 0);
    return {
      url: this.locationIn(answer, known),
      offset: receivedIn(answer) ?? 0,
      chunkBytesMin: Number.isSafeInteger(chunkBytesMin) && chunkBytesMin > 0 ? chunkBytesMin : 0,
    };
  }

  /** What a broken connection does no harm to. */
  #ask(request: RepositoryRequest): Promise<Answer> {
    return retrying(this.#limits, request.signal, () => this.#client.request(request));
  }
}

/** Something that was said about this one request, and not that nothing can be said at all. */
function isOwnAnswer(error: unknown): boolean {
  return error instanceof RtError && error.code !== "cancelled" && !isTransient(error);
}
