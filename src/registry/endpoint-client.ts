import { RtError } from "../base/errors.ts";
import { objectIn, parseJson, quoted } from "../oci/json.ts";
import { Authorizer } from "./auth.ts";
import type { Credential } from "./credentials.ts";
import { type Endpoint, probe } from "./endpoint.ts";
import type { Limits } from "./limits.ts";
import { parseRetryAfter, TransientError } from "./retry.ts";
import { type Answer, send } from "./transport.ts";

/** Distribution API requests for one repository at one endpoint: origin, authorization and the meaning of a status. */
export class EndpointClient {
  readonly endpoint: Endpoint;
  readonly #path: string;
  readonly #limits: Limits;
  readonly #authorizer: Authorizer;
  /** Aborts what several requests wait for together: one that is given up must not take the others along. */
  readonly #lifetime: AbortSignal;
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
   * One GET of `/v2/<repository>/<tail>`, after at most one round for a (new) token. Answers 200 or 206.
   * @throws TransientError | not-found | unauthorized | unavailable
   */
  async get(tail: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    const origin = await this.#chooseOrigin();
    const url = new URL(`/v2/${this.#path}/${tail}`, origin);
    let authorization = this.#authorizer.current;
    for (let renewed = false; ; renewed = true) {
      const answer = await send(
        { url, headers, authorization, insecure: this.endpoint.insecure, signal },
        this.#limits,
      );
      if (answer.status === 200 || answer.status === 206) return answer;
      if (answer.status !== 401 || answer.crossed || renewed) throw await this.#failure(answer, tail);
      answer.discard();
      authorization = await this.#authorizer.renew(
        authorization,
        answer.headers.get("www-authenticate"),
        origin,
        this.#lifetime,
      );
    }
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

  async #failure(answer: Answer, tail: string): Promise<RtError> {
    const { status } = answer;
    const where = `${this.endpoint.host}/${this.#path}`;
    const from = answer.crossed
      ? `${answer.url.host}, where ${this.endpoint.host} redirects to,${answer.via}`
      : `${this.endpoint.host}${answer.via}`;
    const words = await wordsOf(answer);
    if (status === 401 || status === 403) {
      // Where it was redirected to, another's rules hold.
      const withheld = answer.crossed ? "" : this.#authorizer.withheld;
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
