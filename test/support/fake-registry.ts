import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { FakeUploads } from "./fake-uploads.ts";
import { type namedTls, testTls } from "./test-tls.ts";

/**
 * A registry that does what a test tells it to, byte by byte: it speaks HTTP/1.1 over raw sockets, so it can also cut,
 * stall and lie. By default it serves what `push` put there, with ranges, and remembers every request.
 *
 *   await using registry = await FakeRegistry.start()
 *   const name = registry.push("library/tiny", "1.0", tinyImage())
 *   registry.once(/\/blobs\//, (_, wire) => wire.reset())          // the first blob request fails
 */
export class FakeRegistry implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #scheme: "http" | "https";
  readonly #scripts: Script[] = [];
  readonly #early: { pattern: RegExp; bytes: number; action: Action }[] = [];
  readonly #documents = new Map<string, { bytes: Uint8Array; mediaType: string }>();
  readonly #blobs = new Map<string, Uint8Array>();
  /** What is pushed by the protocol lands in the same place. */
  readonly uploads = new FakeUploads(this.#blobs);

  private constructor(tls: typeof namedTls | undefined) {
    this.#scheme = tls ? "https" : "http";
    const accept = (socket: Socket) => this.#accept(socket);
    this.#server = tls ? createTlsServer(tls, accept) : createServer(accept);
  }

  /** `tls`: true is a certificate that nobody trusts. */
  static async start(
    options: { tls?: boolean | typeof namedTls; hostname?: string } = {},
  ): Promise<FakeRegistry> {
    const registry = new FakeRegistry(options.tls === true ? testTls : options.tls || undefined);
    await new Promise<void>((resolve) =>
      registry.#server.listen(0, options.hostname ?? "127.0.0.1", resolve),
    );
    return registry;
  }

  /** "127.0.0.1:40123": the domain of a reference. */
  get host(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `${address.address}:${address.port}`;
  }

  get url(): string {
    return `${this.#scheme}://${this.host}`;
  }

  /** Stores the image's blobs and documents; the last document is what `tag` names. Answers "host/repository:tag". */
  push(repository: string, tag: string, image: TestImage): string {
    for (const blob of image.blobs) this.#blobs.set(digestOf(blob), blob);
    for (const document of image.documents) {
      this.#documents.set(`${repository}/${digestOf(document.bytes)}`, document);
    }
    this.#documents.set(`${repository}/${tag}`, image.documents.at(-1)!);
    return `${this.host}/${repository}:${tag}`;
  }

  /** A blob that was pushed. */
  blob(digest: string): Uint8Array {
    const bytes = this.#blobs.get(digest);
    if (!bytes) throw new Error(`no blob ${digest} was pushed`);
    return bytes;
  }

  /** The next `times` requests whose "METHOD /path?query" matches go to `action`. Later scripts are asked first. */
  once(pattern: RegExp, action: Action, times = 1): void {
    this.#scripts.unshift({ pattern, action, left: times });
  }

  /** The next request that matches is read up to `bytes` of its body; an upload gets them, and the connection is reset. */
  cutBody(pattern: RegExp, bytes: number): void {
    this.early(
      pattern,
      (part, wire) => {
        this.uploads.take(part.path, part.bytes.subarray(0, bytes));
        wire.reset();
      },
      bytes,
    );
  }

  /** The next request that matches goes to `action` once `bytes` of its body have come; the rest is never read. */
  early(pattern: RegExp, action: Action, bytes = 1): void {
    this.#early.push({ pattern, action, bytes });
  }

  /** A manifest that was pushed. @param name a tag or a digest */
  manifest(repository: string, name: string): { bytes: Uint8Array; mediaType: string } | undefined {
    return this.#documents.get(`${repository}/${name}`);
  }

  /** All requests that match go to `action`. */
  always(pattern: RegExp, action: Action): void {
    this.once(pattern, action, Number.POSITIVE_INFINITY);
  }

  /** Requests whose "METHOD /path" match. */
  seen(pattern: RegExp): SeenRequest[] {
    return this.requests.filter((request) => pattern.test(`${request.method} ${request.path}`));
  }

  /** What the registry does when no script says otherwise. An action may call it. */
  serve(request: SeenRequest, wire: Wire): void {
    const [path] = request.path.split("?", 1) as [string];
    const found = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path);
    const document = found?.[2] === "manifests" ? this.#documents.get(`${found[1]}/${found[3]}`) : undefined;
    const blob = found?.[2] === "blobs" ? this.#blobs.get(found[3]!) : undefined;
    if (path === "/v2/") wire.reply(200, {}, "{}");
    else if (this.uploads.serve(request, wire)) return;
    else if (found?.[2] === "manifests" && request.method === "PUT") this.#takeManifest(request, found, wire);
    else if (request.method === "HEAD") {
      const bytes = document?.bytes ?? blob;
      const headers = bytes && {
        "Content-Length": String(bytes.length),
        "Docker-Content-Digest": digestOf(bytes),
      };
      wire.head(bytes ? 200 : 404, headers ?? { "Content-Length": "9" });
    } else if (document) {
      const digest = digestOf(document.bytes);
      const headers = { "Content-Type": document.mediaType, "Docker-Content-Digest": digest };
      wire.reply(200, headers, document.bytes);
    } else if (blob) this.#serveBlob(request, wire, blob);
    else wire.reply(404, {}, '{"errors":[{"code":"UNKNOWN","message":"there is none"}]}');
  }

  #takeManifest({ bytes, headers }: SeenRequest, [, repository, , name]: RegExpExecArray, wire: Wire): void {
    const document = { bytes, mediaType: headers.get("content-type") ?? "" };
    const digest = digestOf(bytes);
    for (const key of [name, digest]) this.#documents.set(`${repository}/${key}`, document);
    wire.reply(201, { Location: `/v2/${repository}/manifests/${digest}`, "Docker-Content-Digest": digest });
  }

  #serveBlob(request: SeenRequest, wire: Wire, blob: Uint8Array): void {
    const from = Number(/^bytes=([0-9]+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
    const range = { "Content-Range": `bytes ${from}-${blob.length - 1}/${blob.length}` };
    if (from === 0) wire.reply(200, { "Content-Type": "application/octet-stream" }, blob);
    else wire.reply(206, range, blob.subarray(from));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy()); // a client that leaves is what many tests are about
    let pending: Buffer[] = [];
    let wanted = 0;
    let isOver = false;
    socket.on("data", (data) => {
      if (isOver) return;
      pending.push(typeof data === "string" ? Buffer.from(data) : data);
      if (pending.reduce((sum, { length }) => sum + length, 0) < wanted) return;
      const bytes = Buffer.concat(pending);
      pending = [bytes];
      isOver = this.#actEarly(bytes, socket);
      const parsed = isOver ? undefined : takeRequest(bytes);
      // A long body is not looked at again at each packet.
      wanted = parsed || this.#early.length > 0 ? 0 : wholeLength(bytes);
      if (!parsed) return;
      pending = [parsed.rest];
      this.requests.push(parsed.request);
      this.#act(parsed.request, new Wire(socket));
    });
  }

  /** @returns whether somebody did not want to wait for the rest */
  #actEarly(pending: Buffer, socket: Socket): boolean {
    const part = takePart(pending);
    if (!part) return false;
    const line = `${part.method} ${part.path}`;
    const index = this.#early.findIndex(
      ({ pattern, bytes }) => pattern.test(line) && part.bytes.length >= bytes,
    );
    const [early] = index < 0 ? [] : this.#early.splice(index, 1);
    if (!early) return false;
    this.requests.push(part);
    early.action(part, new Wire(socket));
    return true;
  }

  #act(request: SeenRequest, wire: Wire): void {
    const line = `${request.method} ${request.path}`;
    const script = this.#scripts.find(({ pattern, left }) => left > 0 && pattern.test(line));
    if (script) script.left--;
    if (script) script.action(request, wire);
    else this.serve(request, wire);
  }
}

export interface SeenRequest {
  method: string;
  path: string;
  headers: Headers;
  body: string;
  bytes: Uint8Array;
}

export type Action = (request: SeenRequest, wire: Wire) => void;

interface Script {
  pattern: RegExp;
  action: Action;
  left: number;
}

/** The connection that a request came on. */
export class Wire {
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** A whole, honest answer. */
  reply(status: number, headers: Record<string, string> = {}, body: string | Uint8Array = ""): void {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    this.head(status, { "Content-Length": String(bytes.length), ...headers });
    this.socket.write(bytes);
  }

  head(status: number, headers: Record<string, string>): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`HTTP/1.1 ${status} X\r\n${lines.join("")}\r\n`);
  }

  /** The head of an answer of `length` bytes, of which only `part` comes before the connection ends. */
  cut(status: number, headers: Record<string, string>, length: number, part: Uint8Array): void {
    this.head(status, { "Content-Length": String(length), ...headers });
    this.socket.write(part, () => this.socket.end());
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }
}

function takeRequest(bytes: Buffer): { request: SeenRequest; rest: Buffer<ArrayBuffer> } | undefined {
  const part = takePart(bytes);
  const length = Number(part?.headers.get("content-length") ?? 0);
  if (!part || part.bytes.length < length) return undefined;
  const body = Buffer.from(part.bytes.subarray(0, length));
  const rest = Buffer.from(part.bytes.subarray(length));
  return { request: { ...part, body: body.toString(), bytes: body }, rest };
}

/** Of the request that `bytes` begin; 0 while its head does not say. */
function wholeLength(bytes: Buffer): number {
  const part = takePart(bytes);
  const head = bytes.length - (part?.bytes.length ?? 0);
  return part ? head + Number(part.headers.get("content-length") ?? 0) : 0;
}

/** A head, and what has come behind it. */
function takePart(bytes: Buffer): SeenRequest | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first, ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n") as [string, ...string[]];
  const headers = new Headers();
  for (const line of lines)
    headers.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim());
  const [method, path] = first.split(" ") as [string, string];
  return { method, path, headers, body: "", bytes: bytes.subarray(end + 4) };
}

/** An image ready to be served: every blob, and its documents with what a tag names last. */
export interface TestImage {
  blobs: Uint8Array[];
  documents: { bytes: Uint8Array; mediaType: string }[];
  layers: Uint8Array[];
  config: Uint8Array;
  manifestDigest: Digest;
}

/** A Docker v2s2 image whose "layers" are any bytes at all: nothing here unpacks them. `edit` changes the manifest. */
export function tinyImage(
  layers: Uint8Array[] = [Buffer.from("layer one"), Buffer.from("layer two")],
  edit: (manifest: TestManifest) => object = (manifest) => manifest,
): TestImage {
  const diffIDs = layers.map((layer) => digestOf(layer));
  const rootfs = { type: "layers", diff_ids: diffIDs };
  const config = json({ architecture: "amd64", os: "linux", rootfs, config: {} });
  const describe = (mediaType: string, blob: Uint8Array) => ({
    mediaType,
    digest: digestOf(blob),
    size: blob.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest as string,
    config: describe(mediaTypes.dockerConfig, config),
    layers: layers.map((layer) => describe(mediaTypes.dockerLayerTar, layer)),
  };
  const bytes = json(edit(manifest));
  const documents = [{ bytes, mediaType: mediaTypes.dockerManifest }];
  return { blobs: [config, ...layers], documents, layers, config, manifestDigest: digestOf(bytes) };
}

export interface TestManifest {
  schemaVersion: number;
  mediaType: string;
  config: TestDescriptor;
  layers: TestDescriptor[];
}

interface TestDescriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** `image` behind an OCI index that offers it for each of `platforms` ("amd64", "arm64/v8"), plus an attestation. */
export function withIndex(image: TestImage, platforms: string[]): TestImage {
  const manifest = image.documents.at(-1)!;
  const { mediaType, bytes } = manifest;
  const entry = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const manifests = platforms.map((text) => {
    const [architecture, variant] = text.split("/");
    return { ...entry, platform: { os: "linux", architecture, ...(variant && { variant }) } };
  });
  const attestation = { ...entry, platform: { os: "unknown", architecture: "unknown" } };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [attestation, ...manifests] };
  return {
    ...image,
    documents: [...image.documents, { bytes: json(index), mediaType: mediaTypes.ociIndex }],
  };
}

export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
