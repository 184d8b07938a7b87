import type { Config } from "../base/config.ts";
import { RtError } from "../base/errors.ts";
import { quoted, shown } from "../oci/json.ts";
import { defaultDomain, type Reference } from "../reference/reference.ts";
import { isLoopback } from "./address.ts";
import type { Answer } from "./answer.ts";
import type { Limits } from "./limits.ts";
import { TransientError } from "./retry.ts";
import { send } from "./transport.ts";

/** A host that serves the distribution API for a reference: the registry itself, or one of its mirrors. */
export interface Endpoint {
  /** For messages and for credentials: "docker.io", "127.0.0.1:5000". */
  readonly host: string;
  readonly mirror: boolean;
  /** Its TLS may be unverified, or absent. */
  readonly insecure: boolean;
  /** Sites other than its own that may see its password. */
  readonly tokenServers: readonly string[];
  /** Origins to try, in order; when there are two, the first that speaks its protocol wins. */
  readonly origins: readonly URL[];
}

/** The mirrors of the reference's domain in the order of the configuration, then the registry. */
export function endpointsOf(reference: Reference, config: Config, tlsVerify: boolean): Endpoint[] {
  const mirrors = config.registries.get(reference.domain)?.mirrors ?? [];
  const own = ownEndpoint(reference, config, tlsVerify);
  return [...mirrors.map((mirror) => mirrorAt(new URL(mirror), config)), own];
}

/** The registry itself: where alone something is written. */
export function ownEndpoint({ domain }: Reference, config: Config, tlsVerify: boolean): Endpoint {
  const own = config.registries.get(domain);
  const insecure = own?.insecure === true || !tlsVerify;
  const api = domain === defaultDomain ? "registry-1.docker.io" : domain;
  const tokenServers = own?.tokenServers ?? [];
  return { host: domain, mirror: false, insecure, tokenServers, origins: originsOf(api, insecure) };
}

function mirrorAt(origin: URL, config: Config): Endpoint {
  const own = config.registries.get(origin.host);
  const insecure = own?.insecure === true;
  if (origin.protocol === "http:" && !insecure && !isLoopback(origin)) {
    throw new RtError(
      "invalid-argument",
      `mirror ${origin.origin} is plain http: set insecure = true under [registries."${origin.host}"] to accept that`,
    );
  }
  return {
    host: origin.host,
    mirror: true,
    insecure,
    tokenServers: own?.tokenServers ?? [],
    origins: [origin],
  };
}

/**
 * https, and for these hosts plain http too: a loopback registry is asked in http first, since that is what it speaks
 * unless someone took the trouble (no secret is sent before it is known which); an insecure one in https first.
 */
function originsOf(api: string, insecure: boolean): URL[] {
  if (!URL.canParse(`https://${api}`)) {
    throw new RtError("invalid-argument", `${quoted(api)} is not the name of a registry's host`);
  }
  const [http, https] = [new URL(`http://${api}`), new URL(`https://${api}`)];
  if (isLoopback(https)) return [http, https];
  return insecure ? [https, http] : [https];
}

/** The origin that answers. Asks without any credentials; only needed where there is a choice. */
export async function probe(
  endpoint: Endpoint,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<URL> {
  const errors: unknown[] = [];
  for (const origin of endpoint.origins) {
    if (endpoint.origins.length === 1) return origin;
    try {
      const url = new URL("/v2/", origin);
      const answer = await send({ url, insecure: endpoint.insecure, signal }, { ...limits, redirectsMax: 0 });
      if (leadsToTls(origin, answer)) errors.push(withoutTls(origin, answer));
      else if (!(await wantsTls(origin, answer))) return origin;
    } catch (error) {
      if (error instanceof RtError && error.code === "cancelled") throw error;
      errors.push(error);
    }
  }
  // A certificate that is not trusted says more than a connection that was reset before.
  throw errors.find((error) => !(error instanceof TransientError)) ?? errors[0];
}

/** Some answer plain http with the way to https, be it here or elsewhere. Any other redirect is an answer like another. */
function leadsToTls(origin: URL, { status, headers }: Answer): boolean {
  const location = headers.get("location") ?? "";
  return origin.protocol === "http:" && status >= 300 && status < 400 && /^https:/i.test(location);
}

/** What there is to say when https, which is tried next, is not spoken here. */
function withoutTls(origin: URL, answer: Answer): RtError {
  answer.discard();
  const location = shown(answer.headers.get("location") ?? "");
  return new RtError(
    "unavailable",
    `${origin.host} redirects to ${location}, and does not speak https itself`,
  );
}

/** Go's server, nginx and others answer plain http on their TLS port with a 400 that says so. */
async function wantsTls(origin: URL, answer: Answer): Promise<boolean> {
  if (origin.protocol !== "http:" || answer.status !== 400) {
    answer.discard();
    return false;
  }
  return /https/i.test(new TextDecoder().decode(await answer.bytes(64 * 1024, "the answer to /v2/")));
}
