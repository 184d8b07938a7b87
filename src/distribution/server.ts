import type { Server } from "bun";
import { RtError, withCause } from "../base/errors.ts";
import { type Listening, refusalOf } from "../base/origin.ts";
import type { Accounts } from "./accounts.ts";
import { answerBlob } from "./blobs.ts";
import type { Exchange } from "./exchange.ts";
import { answerCatalog, answerReferrers, answerTags } from "./lists.ts";
import { answerManifest } from "./manifests.ts";
import { ProtocolError } from "./protocol-error.ts";
import { type DistributionRoute, protocolErrorOf, routeOf } from "./route.ts";
import type { DistributionStore, ServedRepository } from "./store.ts";
import { answerUpload, answerUploads } from "./uploads.ts";

export interface ServerOptions extends Listening {
  host: string;
  port: number;
  tls: { cert: string; key: string } | undefined;
  store: DistributionStore;
  accounts: Accounts | undefined;
  isReadOnly: boolean;
  blobSizeMax: number;
  onRequest: (line: RequestLine) => void;
  /** What nobody foresaw; the client is told no more than that it happened. */
  onBug: (error: unknown) => void;
}

/** What there is to say of a request once it is answered. Of strangers: not to be shown as it is. */
export interface RequestLine {
  client: string;
  method: string;
  path: string;
  status: number;
  /** Until the answer began. */
  duration_ms: number;
}

/** Seconds in which a connection brings or takes nothing at all. */
const idle_s = 60;
/** At once. What is only a connection, and never becomes a request, Bun closes after some ten seconds. */
const requestsMax = 1000;
/** Those that are at work when it ends. */
const drain_ms = 10_000;
const anonymous: readonly string[] = ["GET", "HEAD"];
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/**
 * The OCI distribution protocol over a store. One thread: what is large travels by sendfile(2) on the way out, and by one hash and
 * one write on the way in.
 */
export class DistributionServer {
  readonly #options: ServerOptions;
  readonly #server: Server<undefined>;

  /** @throws RtError: the address is taken, or is none of ours; a certificate that is none */
  constructor(options: ServerOptions) {
    this.#options = options;
    const { host, port, tls } = options;
    try {
      this.#server = Bun.serve({
        hostname: host,
        port,
        // Bun shares a port with other processes unless it is told not to.
        reusePort: false,
        development: false,
        idleTimeout: idle_s,
        maxRequestBodySize: options.blobSizeMax,
        ...(tls && { tls }),
        fetch: (request, server) => this.#handle(request, server),
        error: (error) => this.#bug(error),
      });
    } catch (error) {
      throw withCause(`cannot listen on ${host}:${port}`, error);
    }
  }

  /** "http://127.0.0.1:5000" */
  get address(): string {
    const { host, tls } = this.#options;
    return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${this.#server.port}`;
  }

  /** No new connections; those that are at work get a while. */
  async drain(): Promise<void> {
    const stopped = this.#server.stop();
    const deadline = performance.now() + drain_ms;
    while (this.#server.pendingRequests > 0 && performance.now() < deadline) await Bun.sleep(10);
    await this.#server.stop(true);
    await stopped;
  }

  async #handle(request: Request, server: Server<undefined>): Promise<Response> {
    const start = performance.now();
    // Without a Host, or with one that is none ("[::"), it is no URL.
    const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
    const address = server.requestIP(request)?.address ?? "";
    const response = url ? await this.#answer(request, url, address) : badRequest();
    response.headers.set("Docker-Distribution-Api-Version", "registry/2.0");
    response.headers.set("X-Content-Type-Options", "nosniff");
    const { method } = request;
    const [status, path] = [response.status, url ? url.pathname + url.search : request.url];
    this.#options.onRequest({
      client: address,
      method,
      path,
      status,
      duration_ms: performance.now() - start,
    });
    return response;
  }

  async #answer(request: Request, url: URL, address: string): Promise<Response> {
    try {
      if (this.#server.pendingRequests > requestsMax)
        throw new ProtocolError("TOOMANYREQUESTS", `${requestsMax} requests are at work: try again`, {
          headers: { "Retry-After": "1", Connection: "close" },
        });
      const { headers } = request;
      const [origin, site] = [headers.get("origin") ?? undefined, headers.get("sec-fetch-site") ?? undefined];
      const refusal = refusalOf({ origin, site, url }, this.#options);
      if (refusal !== undefined) throw new ProtocolError("DENIED", refusal);
      const { accounts } = this.#options;
      const user = accounts && (await accounts.userOf(request.headers.get("authorization")));
      if (accounts && user === undefined) throw unauthorized();
      return await this.#dispatch(request, url, user ?? address);
    } catch (error) {
      try {
        return protocolErrorOf(error).response();
      } catch (bug) {
        return this.#bug(bug);
      }
    }
  }

  async #dispatch(request: Request, url: URL, client: string): Promise<Response> {
    const { store, isReadOnly } = this.#options;
    const { method } = request;
    const route = routeOf(url.pathname);
    if (!route) throw new ProtocolError("UNSUPPORTED", "there is no such place", { status: 404 });
    if (!methods.has(method)) throw new ProtocolError("UNSUPPORTED", "that method is not known");
    if (route.kind === "base") return Response.json({}, { status: anonymous.includes(method) ? 200 : 405 });
    const isReading = anonymous.includes(method);
    if (isReadOnly && !isReading) throw new ProtocolError("UNSUPPORTED", "this registry is read-only");
    const { upstream } = store;
    // containerd says so whose name it is that it asks a mirror for. One that is no mirror may well have another name there.
    const asked = url.searchParams.get("ns");
    if (upstream !== undefined && asked !== null && asked !== upstream)
      throw new ProtocolError("NAME_UNKNOWN", `this is a mirror of ${upstream} alone`);
    const name = "name" in route ? route.name : "";
    const exchange: Exchange = { request, url, name, client };
    if (route.kind === "catalog") return answerCatalog(exchange, store);
    const repository = store.repository(name);
    if (repository.isReadOnly && !isReading)
      throw new ProtocolError("UNSUPPORTED", "this repository is a mirror: push to where it comes from");
    return this.#answerIn(repository, route, exchange);
  }

  #answerIn(
    repository: ServedRepository,
    route: Exclude<DistributionRoute, { kind: "base" | "catalog" }>,
    exchange: Exchange,
  ): Response | Promise<Response> {
    const { store, blobSizeMax } = this.#options;
    switch (route.kind) {
      case "tags":
        return answerTags(exchange, repository);
      case "manifest":
        return answerManifest(exchange, repository, route.reference);
      case "blob":
        return answerBlob(exchange, repository, route.digest);
      case "uploads":
        return answerUploads(exchange, store, repository, blobSizeMax);
      case "upload":
        return answerUpload(exchange, repository, route.id, blobSizeMax);
      case "referrers":
        return answerReferrers(exchange, repository, route.digest);
    }
  }

  #bug(error: unknown): Response {
    this.#options.onBug(error);
    return new ProtocolError("UNKNOWN", "something went wrong here").response();
  }
}

function badRequest(): Response {
  return new ProtocolError("UNSUPPORTED", "that is no request: want a Host", { status: 400 }).response();
}

function unauthorized(): ProtocolError {
  return new ProtocolError("UNAUTHORIZED", "a login is wanted", {
    headers: { "WWW-Authenticate": 'Basic realm="rt"' },
  });
}

/** Where to listen: "127.0.0.1:5000", "[::1]:0", ":5000" (everywhere). @throws RtError invalid-argument */
export function listenAddress(text: string): { host: string; port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65535)
    throw new RtError(
      "invalid-argument",
      `invalid --listen ${JSON.stringify(text)}: want ADDRESS:PORT, as 127.0.0.1:5000`,
    );
  return { host: found[1] ?? (found[2] || "0.0.0.0"), port };
}
