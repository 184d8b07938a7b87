import { RtError } from "../base/errors.ts";
import { objectIn, parseJson, quoted } from "../oci/json.ts";
import type { Answer } from "./answer.ts";
import { Authorizer } from "./auth.ts";
import type { Credential } from "./credential.ts";
import { type Endpoint, probe } from "./endpoint.ts";
import type { Limits } from "./limits.ts";
import { parseRetryAfter, TransientError } from "./retry.ts";
import { send } from "./transport.ts";

/** Distribution API requests for one repository at one endpoint: origin, authorization and the meaning of a status. */
export class EndpointClient {
  readonly endpoint: Endpoint;
  readonly #path: string;
  readonly #limits: Limits;
  readonly #authorizer: Authorizer;
  /** Aborts what several requests wait for together: one that is given up must not take the others along. */
  readonly #lifetime: AbortSignal;
  /** By origin and repository of where requests are redirected to. */
  readonly #elsewhere = new Map<string, Authorizer>();
  #origin: Promise<URL> | undefined;

  constructor(
    endpoint: Endpoint,
    path: string,
    find: () => Promise<Credential | undefined>,
    limits: Limits,
    lifetime: AbortSignal,
  ) {
    this.#lifetime = lifetime;
    this.endpoint = endpoint;
    this.#path = path;
    this.#limits = limits;
    this.#authorizer = new Authorizer(endpoint, path, find, limits);
  }

  /**
   * One GET of `/v2/<repository>/<tail>`, after at most one round for a (new) token. Answers 200 or 206. Another registry that
   * it is redirected to may ask for a token too: it gets one for nobody, and no Authorization of ours.
   * @throws TransientError | not-found | unauthorized | unavailable
   */
  async get(tail: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    const origin = await this.#chooseOrigin();
    let url = new URL(`/v2/${this.#path}/${tail}`, origin);
    let authorizer = this.#authorizer;
    let authorization = authorizer.current;
    const renewed = new Set<Authorizer>();
    for (;;) {
      const answer = await send(
        { url, headers, authorization, insecure: this.endpoint.insecure, signal },
        this.#limits,
      );
      if (answer.status === 200 || answer.status === 206) return answer;
      const moved = authorizer !== this.#authorizer;
      const asking = answer.crossed ? this.#authorizerAt(answer.url) : authorizer;
      const isEnough = !asking || renewed.has(asking) || (moved && answer.crossed);
      if (answer.status !== 401 || isEnough) throw await this.#failure(answer, tail, moved || answer.crossed);
      answer.discard();
      if (answer.crossed) {
        url = answer.url;
        authorizer = asking;
        authorization = asking.current;
        if (authorization !== undefined) continue;
      }
      renewed.add(authorizer);
      authorization = await authorizer.renew(
        authorization,
        answer.headers.get("www-authenticate"),
        new URL(url.origin),
        this.#lifetime,
      );
    }
  }

  /** For the registry that serves `url`, of which no credentials are known; undefined where that is no registry's address. */
  #authorizerAt({ origin, host, pathname }: URL): Authorizer | undefined {
    const path = /^\/v2\/(.+)\/(?:manifests|blobs)\/[^/]+$/.exec(pathname)?.[1];
    if (path === undefined) return undefined;
    const key = `${origin} ${path}`;
    const known = this.#elsewhere.get(key);
    if (known) return known;
    const endpoint = { host, mirror: false, insecure: false, tokenServers: [], origins: [new URL(origin)] };
    const made = new Authorizer(endpoint, path, () => Promise.resolve(undefined), this.#limits);
    this.#elsewhere.set(key, made);
    return made;
  }

  async #chooseOrigin(): Promise<URL> {
    this.#origin ??= probe(this.endpoint, this.#limits, this.#lifetime);
    try {
      return await this.#origin;
    } catch (error) {
      this.#origin = undefined;
      throw error;
    }
  }

  async #failure(answer: Answer, tail: string, moved: boolean): Promise<RtError> {
    const { status } = answer;
    const where = `${this.endpoint.host}/${this.#path}`;
    const from = moved
      ? `${answer.url.host}, where ${this.endpoint.host} redirects to,${answer.via}`
      : `${this.endpoint.host}${answer.via}`;
    const words = await wordsOf(answer);
    if (status === 401 || status === 403) {
      // Where it was redirected to, another's rules hold.
      const withheld = moved ? "" : this.#authorizer.withheld;
      const why = withheld || "it does not exist, or wants a login";
      return new RtError("unauthorized", `access to ${where} is denied${words}: ${why}`);
    }
    if (status === 404) return new RtError("not-found", `${where} has no ${tail.replace("s/", " ")}${words}`);
    if ([408, 429, 500, 502, 503, 504].includes(status)) {
      const retryAfterMs = parseRetryAfter(answer.headers.get("retry-after"), Date.now());
      return new TransientError(`${from} answers ${status}${words}`, { retryAfterMs });
    }
    return new RtError("unavailable", `${from} answers ${status}${words}`);
  }
}

/** ` ("manifest unknown")`: the first message of the spec's error body, if there is one. It only decorates our own line. */
async function wordsOf(answer: Answer): Promise<string> {
  try {
    const json = objectIn(parseJson(await answer.bytes(64 * 1024, "error"), "error"), "error");
    const first: unknown = Array.isArray(json.errors) ? json.errors[0] : undefined;
    const message = objectIn(first, "error").message;
    return typeof message === "string" && message !== "" ? ` (${quoted(message)})` : "";
  } catch (error) {
    if (error instanceof RtError && error.code !== "cancelled") return "";
    throw error;
  }
}
