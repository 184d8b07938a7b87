import { RtError } from "../base/errors.ts";
import { fieldsIn, optionalIn, parseJson, shown, stringIn } from "../oci/json.ts";
import { isLinkLocal, isLoopback } from "./address.ts";
import type { Answer } from "./answer.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credential, FindCredential } from "./credential.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Limits } from "./limits.ts";
import { parseRetryAfter, retrying, TransientError } from "./retry.ts";
import { sameSite } from "./site.ts";
import { type Request, send } from "./transport.ts";

/** What a token is to be good for; "login": for nothing, so that it only tells whether the password is right. */
export interface Access {
  readonly actions: "pull" | "pull,push" | "catalog" | "login";
  /** Another repository of the same registry, from which a blob is to be mounted. */
  readonly from?: string;
}

/**
 * The Authorization header for one repository at one endpoint (distribution spec, auth/token and auth/oauth):
 *
 *   GET manifest            -> 401  WWW-Authenticate: Bearer realm="https://auth/…",service="…"
 *   GET realm?scope=…       -> {"token": "…"}         with Basic credentials, or POST with a refresh token
 *   GET manifest + Bearer   -> 200 …                  and the same again when a token expires in the middle of a pull
 */
export class Authorizer {
  readonly #endpoint: Endpoint;
  readonly #path: string;
  readonly #find: FindCredential;
  readonly #limits: Limits;
  readonly #access: Access;
  readonly #reach: (request: Request) => Promise<Answer>;
  #current: string | undefined;
  #renewal: Promise<string> | undefined;
  #withheldFrom: URL | undefined;
  #hasLogin = false;
  /** Of a login whose token server gives one: what to keep in the place of the password. */
  refreshToken: string | undefined;

  /** `reach` is how a token server is asked: a test may lead it elsewhere. */
  constructor(
    endpoint: Endpoint,
    path: string,
    find: FindCredential,
    limits: Limits,
    reach: (request: Request) => Promise<Answer> = (request) => send(request, limits),
    access: Access = { actions: "pull" },
  ) {
    this.#endpoint = endpoint;
    this.#reach = reach;
    this.#access = access;
    this.#path = path;
    this.#find = find;
    this.#limits = limits;
  }

  /** Was there a credential, when one was looked for? */
  get hasLogin(): boolean {
    return this.#hasLogin;
  }

  get current(): string | undefined {
    return this.#current;
  }

  /**
   * A header to try after `rejected` met a 401 with `header` as its WWW-Authenticate. Layers that are refused at the same
   * time wait for one renewal.
   *
   * @throws unauthorized | data-loss (malformed answers) | unavailable
   */
  async renew(
    rejected: string | undefined,
    header: string | null,
    origin: URL,
    signal?: AbortSignal,
  ): Promise<string> {
    if (this.#current !== undefined && this.#current !== rejected) return this.#current;
    this.#renewal ??= this.#renew(rejected !== undefined, header, origin, signal).finally(() => {
      this.#renewal = undefined;
    });
    this.#current = await this.#renewal;
    return this.#current;
  }

  async #renew(
    isRejected: boolean,
    header: string | null,
    origin: URL,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const challenges = header === null ? [] : parseChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const basic = challenges.some(({ scheme }) => scheme === "basic");
    if (!bearer && !basic) {
      throw this.#unauthorized(
        `it asks for ${challenges.map((c) => shown(c.scheme)).join(", ") || "no known scheme"}`,
      );
    }
    const credential = await this.#find(isRejected);
    this.#hasLogin = credential !== undefined;
    if (credential?.kind === "bearer") return `Bearer ${headerSafe(credential.token)}`;
    if (bearer) return `Bearer ${await this.#fetchToken(bearer, credential, origin, signal)}`;
    if (credential?.kind !== "basic")
      throw this.#unauthorized("it wants a user name and a password: log in first");
    return basicHeader(credential);
  }

  async #fetchToken(
    challenge: Challenge,
    credential: Credential | undefined,
    origin: URL,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const realm = this.#checkRealm(challenge.params.get("realm"), origin);
    const used = credential && (await this.#maySee(realm, origin)) ? credential : undefined;
    this.#withheldFrom = credential && !used ? realm : undefined;
    const service = challenge.params.get("service");
    const answer = await retrying(this.#limits, signal, async () => {
      const found = await this.#ask(realm, service, used, signal);
      if (found.status < 500 && found.status !== 429) return found;
      found.discard();
      const retryAfterMs = parseRetryAfter(found.headers.get("retry-after"), Date.now());
      throw new TransientError(`token server ${realm.host} answers ${found.status}`, {
        retryAfterMs,
        status: found.status,
      });
    });
    if (answer.status !== 200) {
      answer.discard();
      if (this.#withheldFrom) throw this.#unauthorized(this.withheld);
      const why = used ? "refuses the credentials" : `refuses an anonymous ${this.#purpose}`;
      throw this.#unauthorized(`its token server ${realm.host} ${why} (status ${answer.status})`);
    }
    const what = `the token answer of ${realm.host}`;
    const field = fieldsIn(parseJson(await answer.bytes(this.#limits.tokenBytesMax, what), what), what);
    const token =
      optionalIn(field("token"), what, stringIn) || optionalIn(field("access_token"), what, stringIn);
    if (!token) throw new RtError("data-loss", `${what} has no token`);
    this.refreshToken = optionalIn(field("refresh_token"), what, stringIn) || undefined;
    return headerSafe(token);
  }

  async #maySee(realm: URL, origin: URL): Promise<boolean> {
    return this.#endpoint.tokenServers.includes(realm.host) || (await sameSite(realm, origin));
  }

  #ask(realm: URL, service: string | undefined, credential: Credential | undefined, signal?: AbortSignal) {
    const url = new URL(realm);
    const insecure = this.#isLenientTo(url);
    const scopes = this.#scopes;
    if (credential?.kind === "identity") {
      const body = new URLSearchParams({
        grant_type: "refresh_token",
        client_id: "rt",
        scope: scopes.join(" "),
      });
      if (service !== undefined) body.set("service", service);
      body.set("refresh_token", credential.token);
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      return this.#reach({ url, method: "POST", headers, body: body.toString(), insecure, signal });
    }
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.delete("scope");
    for (const scope of scopes) url.searchParams.append("scope", scope);
    if (this.#access.actions === "login" && credential?.kind === "basic") {
      url.searchParams.set("account", credential.username);
      url.searchParams.set("client_id", "rt");
      url.searchParams.set("offline_token", "true");
    }
    const authorization = credential?.kind === "basic" ? basicHeader(credential) : undefined;
    return this.#reach({ url, insecure, signal, authorization });
  }

  get #scopes(): string[] {
    const { actions, from } = this.#access;
    if (actions === "login") return [];
    const own = actions === "catalog" ? "registry:catalog:*" : `repository:${this.#path}:${actions}`;
    return from === undefined ? [own] : [own, `repository:${from}:pull`];
  }

  get #purpose(): string {
    return this.#access.actions === "pull,push" ? "push" : this.#access.actions;
  }

  /** The leniency of an `insecure` registry, but only for its very host: a password is about to travel. */
  #isLenientTo({ hostname }: URL): boolean {
    return this.#endpoint.insecure && this.#endpoint.origins.some((origin) => origin.hostname === hostname);
  }

  /** Where a token may be asked for: https; plain http from this machine to itself, or at an insecure registry's own host. */
  #checkRealm(text: string | undefined, origin: URL): URL {
    const realm = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
    const local = origin.protocol === "http:" && isLoopback(origin);
    const why = (reason: string) =>
      this.#unauthorized(`its token server is ${shown(text ?? "not named")}: ${reason}`);
    if (!realm) throw why("not a web address");
    const mayBePlain = (local && isLoopback(realm)) || this.#isLenientTo(realm);
    if (realm.protocol !== "https:" && !(realm.protocol === "http:" && mayBePlain)) {
      throw why("refused, it must be https");
    }
    if (realm.username !== "" || realm.password !== "") throw why("refused, there is a password in it");
    if (isLinkLocal(realm)) throw why("refused, a link-local address");
    if (isLoopback(realm) && !isLoopback(origin)) throw why("refused, that is this machine");
    return realm;
  }

  /** What to tell of a password that was not shown to the token server, if that is so; else "". */
  get withheld(): string {
    if (!this.#withheldFrom) return "";
    const { host: realm } = this.#withheldFrom;
    return (
      `it asks for its password at ${realm}, another site; if that is right, set ` +
      `token-servers = ["${realm}"] under [registries."${this.#endpoint.host}"] in config.toml`
    );
  }

  #unauthorized(why: string): RtError {
    const where = this.#path === "" ? this.#endpoint.host : `${this.#endpoint.host}/${this.#path}`;
    return new RtError("unauthorized", `access to ${where} is denied: ${why}`);
  }
}

function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** A token goes into a header as it is: nothing but visible ASCII may. */
function headerSafe(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new RtError("data-loss", "a registry token contains characters that no token has");
}
