import { RtError, withCause } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { isLinkLocal, isLoopback } from "./address.ts";
import { Answer } from "./answer.ts";
import { connectionFailure } from "./connection-error.ts";
import type { Limits } from "./limits.ts";
import { type HttpProxy, ownProxies } from "./proxy.ts";
import { TransientError } from "./retry.ts";

export interface Request {
  url: URL;
  method?: "GET" | "POST";
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** The Authorization header. It goes to the origin of `url` alone, however the request is redirected. */
  authorization?: string | undefined;
  /** Accept TLS that does not verify. */
  insecure?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * One request and its answer, over Bun's fetch, through the environment's proxies. Redirects are followed by hand, because
 * what a hop may see and where it may lead is for us to say (CVE-2020-15157); with a `redirectsMax` of 0 the redirect is the
 * answer. Nothing is retried here.
 *
 * @throws TransientError (refused, reset, timed out) | unavailable (TLS, a redirect that is not followed) | cancelled
 */
export async function send(request: Request, limits: Limits): Promise<Answer> {
  const seen = new Set<string>();
  let url = request.url;
  let crossed = false;
  for (;;) {
    const answer = await exchange(request, url, crossed, limits);
    const target = redirectOf(answer);
    if (target === undefined || limits.redirectsMax === 0) return answer;
    answer.discard();
    seen.add(url.href);
    if (seen.size > limits.redirectsMax)
      throw refused(url, `redirects more than ${limits.redirectsMax} times`);
    const next = checkHop(request, url, target);
    if (seen.has(next.href)) throw refused(url, "redirects in a circle");
    crossed ||= next.origin !== request.url.origin;
    url = next;
  }
}

async function exchange(request: Request, url: URL, crossed: boolean, limits: Limits): Promise<Answer> {
  const controller = new AbortController();
  const signals = request.signal ? [controller.signal, request.signal] : [controller.signal];
  const proxy = proxyFor(url);
  const via = viaOf(proxy);
  const late = new TransientError(`${url.host}${via} does not answer within ${limits.headersMs / 1000} s`);
  const timer = setTimeout(() => controller.abort(late), limits.headersMs);
  try {
    const headers = new Headers(request.headers);
    headers.set("User-Agent", "rt");
    // A blob is stored as it travels: nobody between may compress it, and fetch may not unpack it.
    headers.set("Accept-Encoding", "identity");
    if (request.authorization !== undefined && !crossed) headers.set("Authorization", request.authorization);
    const response = await fetch(url, {
      method: request.method ?? "GET",
      headers,
      redirect: "manual",
      decompress: false,
      // Or BUN_CONFIG_VERBOSE_FETCH in the caller's environment would print every request.
      verbose: false,
      signal: AbortSignal.any(signals),
      tls: await tlsFor(url, request.insecure === true),
      ...(proxy && { proxy: proxy.url }),
      ...(request.body !== undefined && { body: request.body }),
    });
    return new Answer(response, url, { crossed, via }, controller, limits, request.signal);
  } catch (error) {
    throw connectionFailure(error, url, via, request.signal);
  } finally {
    clearTimeout(timer);
  }
}

function proxyFor(url: URL): HttpProxy | undefined {
  try {
    return ownProxies().for(url);
  } catch (error) {
    throw withCause(`cannot reach ${url.host}`, error);
  }
}

function viaOf(proxy: HttpProxy | undefined): string {
  return proxy ? ` through the proxy ${proxy.name}` : "";
}

/** Not left to the environment: NODE_TLS_REJECT_UNAUTHORIZED would decide. */
async function tlsFor(url: URL, insecure: boolean): Promise<{ rejectUnauthorized: boolean; ca?: string }> {
  if (insecure || url.protocol !== "https:") return { rejectUnauthorized: !insecure };
  const { trust } = await import("./trust.ts");
  const ca = trust.certificatesFor(url);
  return { rejectUnauthorized: true, ...(ca !== undefined && { ca }) };
}

function redirectOf(answer: Answer): string | undefined {
  const location = answer.headers.get("location");
  return [301, 302, 303, 307, 308].includes(answer.status) && location !== null ? location : undefined;
}

/** Where a redirect leads, if it may lead there. */
function checkHop(request: Request, from: URL, location: string): URL {
  if (request.method === "POST") throw refused(from, "redirects a login: not followed");
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const where = `redirects to ${shown(to?.href ?? location)}`;
  if (to?.protocol !== "https:" && to?.protocol !== "http:")
    throw refused(from, `${where}: not a web address`);
  if (to.username !== "" || to.password !== "")
    throw refused(from, `${where}: an address with a password in it`);
  if (from.protocol === "https:" && to.protocol === "http:")
    throw refused(from, `${where}: from https to plain http`);
  if (isLinkLocal(to)) throw refused(from, `${where}: a link-local address`);
  if (isLoopback(to) && !isLoopback(request.url)) throw refused(from, `${where}: this machine itself`);
  return to;
}

function refused(from: URL, why: string): RtError {
  return new RtError("unavailable", `${from.host} ${why}`);
}
