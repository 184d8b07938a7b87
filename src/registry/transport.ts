import { RtError, withCause } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { isLinkLocal, isLoopback } from "./address.ts";
import { Answer } from "./answer.ts";
import { connectionFailure } from "./connection-error.ts";
import type { Limits } from "./limits.ts";
import { type HttpProxy, ownProxies } from "./proxy.ts";
import { BodyStream, pieceLength, type RequestBody } from "./request-body.ts";
import { TransientError } from "./retry.ts";

export interface Request {
  url: URL;
  method?: "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE";
  headers?: Readonly<Record<string, string>>;
  /** A string is a form with secrets in it, that is led nowhere else. */
  body?: string | Uint8Array<ArrayBuffer> | RequestBody;
  /** From the end of the request to the answer's headers, where that is not Limits.headersMs. */
  answerMs?: number;
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
    checkMethod(request, url, answer.status);
    const next = checkHop(request.url, url, target);
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
  const { answerMs = limits.headersMs, body } = request;
  const late = (ms: number) => new TransientError(`${url.host}${via} does not answer within ${ms / 1000} s`);
  const patience = new Patience(controller);
  const stalled = new TransientError(`${url.host}${via} takes nothing for ${limits.uploadIdleMs / 1000} s`);
  // Of what is long, the kernel holds much that has not gone yet when all has been taken.
  const isLong = body !== undefined && body.length > pieceLength;
  const lastMs = isLong ? Math.max(answerMs, limits.uploadIdleMs) : answerMs;
  const streamed = isStreamed(body)
    ? new BodyStream(body, (turn) => {
        if (turn === "making") patience.pause();
        else if (turn === "taking") patience.renew(limits.uploadIdleMs, stalled);
        else patience.renew(lastMs, late(lastMs));
      })
    : undefined;
  const firstMs = streamed ? answerMs : lastMs;
  patience.renew(firstMs, late(firstMs));
  try {
    const headers = new Headers(request.headers);
    headers.set("User-Agent", "rt");
    // A blob is stored as it travels: nobody between may compress it, and fetch may not unpack it.
    headers.set("Accept-Encoding", "identity");
    // Or a stream would go in chunks, which not every registry takes.
    if (isStreamed(body)) headers.set("Content-Length", String(body.length));
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
      ...(body !== undefined && {
        body: streamed ? streamed.stream : (body as string | Uint8Array<ArrayBuffer>),
      }),
    });
    const way = { crossed, via, whole: streamed?.complete !== false, bodiless: request.method === "HEAD" };
    return new Answer(response, url, way, controller, limits, request.signal);
  } catch (error) {
    // What could not be read here is no fault of the connection.
    if (streamed?.failure && !request.signal?.aborted) throw streamed.failure.error;
    throw connectionFailure(error, url, via, request.signal);
  } finally {
    patience.end();
    await streamed?.close();
  }
}

/** How long the other side may do nothing. */
class Patience {
  readonly #controller: AbortController;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(controller: AbortController) {
    this.#controller = controller;
  }

  renew(ms: number, reason: RtError): void {
    this.pause();
    if (!this.#isOver) this.#timer = setTimeout(() => this.#controller.abort(reason), ms);
  }

  /** It is our turn. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** A body may still be asked for more after its answer has come. */
  end(): void {
    this.#isOver = true;
    this.pause();
  }
}

function isStreamed(body: Request["body"]): body is RequestBody {
  return typeof body === "object" && "open" in body;
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

/** May this request be sent again elsewhere? @throws unavailable */
function checkMethod({ method = "GET", body }: Request, from: URL, status: number): void {
  if (method === "GET" || method === "HEAD") return;
  if (typeof body === "string") throw refused(from, "redirects a login: not followed");
  // After any other, clients do not agree on what is to be sent.
  if (status !== 307 && status !== 308)
    throw refused(from, `redirects a ${method} with status ${status}: not followed`);
}

/**
 * Where an answer of `from` leads, if it may lead there. `asked` is where the request was sent at first.
 * @param does what `from` does, for messages
 * @throws unavailable
 */
export function checkHop(asked: URL, from: URL, location: string, does = "redirects to"): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const where = `${does} ${shown(to ? withoutPassword(to) : location)}`;
  if (to?.protocol !== "https:" && to?.protocol !== "http:")
    throw refused(from, `${where}: not a web address`);
  if (to.username !== "" || to.password !== "")
    throw refused(from, `${where}: an address with a password in it`);
  if (from.protocol === "https:" && to.protocol === "http:")
    throw refused(from, `${where}: from https to plain http`);
  if (isLinkLocal(to)) throw refused(from, `${where}: a link-local address`);
  if (isLoopback(to) && !isLoopback(asked)) throw refused(from, `${where}: this machine itself`);
  return to;
}

/** What follows the "?" may be a signature, which is as good as a password. */
function withoutPassword({ href }: URL): string {
  return href.replace(/\/\/[^/]*@/, "//").replace(/\?.*$/s, "");
}

function refused(from: URL, why: string): RtError {
  return new RtError("unavailable", `${from.host} ${why}`);
}
