import { RtError } from "../base/errors.ts";
import { objectIn, parseJson, quoted } from "../oci/json.ts";
import type { Answer } from "./answer.ts";
import { type Access, Authorizer } from "./auth.ts";
import type { FindCredential } from "./credential.ts";
import { type Endpoint, probe } from "./endpoint.ts";
import type { Limits } from "./limits.ts";
import { parseRetryAfter, TransientError } from "./retry.ts";
import { type Request, send } from "./transport.ts";

/** A request to a repository. */
export interface RepositoryRequest extends Pick<Request, "method" | "headers" | "body" | "answerMs"> {
  /** What follows `/v2/<repository>/`, or where the registry said to go on: no Authorization of ours leaves its origin. */
  target: string | URL;
  /** What is no failure. */
  accepted: readonly number[];
  /** Of a token that is good for more than the client's own. */
  authorizer?: Authorizer;
  signal: AbortSignal;
}

/** An answer that is a refusal; its status tells more than the class does. */
export class RegistryRefusal extends RtError {
  readonly status: number;

  constructor(code: "not-found" | "unavailable", message: string, status: number) {
    super(code, message);
    this.status = status;
  }
}

/** Distribution API requests for one repository at one endpoint: origin, authorization and the meaning of a status. */
export class EndpointClient {
  readonly endpoint: Endpoint;
  readonly #path: string;
  readonly #find: FindCredential;
  readonly #limits: Limits;
  readonly #access: Access;
  readonly #authorizer: Authorizer;
  /** Aborts what several requests wait for together: one that is given up must not take the others along. */
  readonly #lifetime: AbortSignal;
  /** By origin and repository of where requests are redirected to. */
  readonly #elsewhere = new Map<string, Authorizer>();
  #origin: Promise<URL> | undefined;

  constructor(
    endpoint: Endpoint,
    path: string,
    find: FindCredential,
    limits: Limits,
    lifetime: AbortSignal,
    access: Access = { actions: "pull" },
  ) {
    this.#lifetime = lifetime;
    this.endpoint = endpoint;
    this.#path = path;
    this.#limits = limits;
    this.#find = find;
    this.#access = access;
    this.#authorizer = this.authorizerFor(access);
  }

  /** Another token than the client's own. */
  authorizerFor(access: Access): Authorizer {
    return new Authorizer(this.endpoint, this.#path, this.#find, this.#limits, undefined, access);
  }

  /** One GET of `/v2/<repository>/<tail>`. Answers 200 or 206. @throws as `request` */
  get(tail: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    return this.request({ target: tail, headers, accepted: [200, 206], signal });
  }

  /**
   * One request, after at most one round for a (new) token. Another registry that it is redirected to may ask for a token
   * too: it gets one for nobody, and no Authorization of ours.
   * @throws TransientError | not-found | unauthorized | unavailable
   */
  async request(asked: RepositoryRequest): Promise<Answer> {
    const origin = await this.#chooseOrigin();
    const own = asked.authorizer ?? this.#authorizer;
    const { target, accepted, authorizer: _, ...request } = asked;
    let url = typeof target === "string" ? new URL(`/v2/${this.#path}/${target}`, origin) : target;
    const isForeign = url.origin !== origin.origin;
    let authorizer = own;
    let authorization = isForeign ? undefined : own.current;
    const renewed = new Set<Authorizer>();
    for (;;) {
      const answer = await send(
        { ...request, url, authorization, insecure: this.endpoint.insecure },
        this.#limits,
      );
      if (accepted.includes(answer.status)) return answer;
      const moved = authorizer !== own || isForeign;
      const asking = answer.crossed ? this.#authorizerAt(answer.url) : isForeign ? undefined : authorizer;
      const isEnough = !asking || renewed.has(asking) || (moved && answer.crossed);
      if (!wantsToken(answer) || isEnough)
        throw await this.#failure(answer, target, moved || answer.crossed, own);
      const challenge = answer.headers.get("www-authenticate");
      await answer.finish();
      if (answer.crossed) {
        url = answer.url;
        authorizer = asking;
        authorization = asking.current;
        if (authorization !== undefined) continue;
      }
      renewed.add(authorizer);
      authorization = await authorizer.renew(authorization, challenge, new URL(url.origin), this.#lifetime);
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

  /** Where a registry has to be looked for, that may go on while there is other work; what goes wrong, the first request meets. */
  begin(): void {
    if (this.endpoint.origins.length > 1) void this.#chooseOrigin().catch(() => undefined);
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

  async #failure(answer: Answer, target: string | URL, moved: boolean, own: Authorizer): Promise<RtError> {
    const { status } = answer;
    const where = `${this.endpoint.host}/${this.#path}`;
    const from = moved
      ? `${answer.url.host}, where ${this.endpoint.host} leads to,${answer.via}`
      : `${this.endpoint.host}${answer.via}`;
    const words = await wordsOf(answer);
    if (status === 401 || status === 403) {
      // Where it was redirected to, another's rules hold.
      const withheld = moved ? "" : own.withheld;
      const why =
        withheld || (this.#access.actions === "pull" ? "it does not exist, or wants a login" : noRight(own));
      return new RtError("unauthorized", `access to ${where} is denied${words}: ${why}`);
    }
    if (status === 404 && typeof target === "string")
      return new RegistryRefusal("not-found", `${where} has no ${target.replace("s/", " ")}${words}`, status);
    if ([408, 429, 500, 502, 503, 504].includes(status)) {
      const retryAfterMs = parseRetryAfter(answer.headers.get("retry-after"), Date.now());
      return new TransientError(`${from} answers ${status}${words}`, { retryAfterMs, status });
    }
    return new RegistryRefusal("unavailable", `${from} answers ${status}${words}`, status);
  }
}

/** 403 comes from some where a token is too old, or good for too little; that they can have another, a challenge says. */
function wantsToken({ status, headers }: Answer): boolean {
  return status === 401 || (status === 403 && headers.has("www-authenticate"));
}

function noRight({ hasLogin }: Authorizer): string {
  return hasLogin ? "who is logged in there may not push to it" : "a push wants a login";
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
