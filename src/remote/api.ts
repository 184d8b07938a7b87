import { onAbort } from "../base/abort.ts";
import { version } from "../base/build-info.ts";
import { RtError } from "../base/errors.ts";
import { type ApiVersion, apiVersionMax, isAtLeast } from "../docker/api-version.ts";
import { errorOf } from "../docker/error-document.ts";
import { type Answered, ask } from "../http/client.ts";
import type { Duplex } from "../http/duplex.ts";
import { type HeaderFields, MessageError } from "../http/head.ts";
import type { Dial } from "./dial.ts";
import { ConnectionPool } from "./pool.ts";

export interface ApiRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Without a version, and encoded: see `pathOf`. */
  path: string;
  query?: Query;
  /** Sent as JSON. */
  document?: unknown;
  /** Or these bytes, as they come. */
  body?: AsyncIterable<Uint8Array> | undefined;
  fields?: readonly (readonly [string, string])[];
  /** Aborted when nobody wants an answer any more: the connection is closed, and its reason thrown. */
  abort?: AbortSignal | undefined;
}

/** What is undefined or false is not said; of a list each is said. */
type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface ApiAnswer {
  status: number;
  fields: HeaderFields;
  /** To its end, once; who stops before it closes the connection. */
  body: AsyncGenerator<Uint8Array, void>;
}

export interface ApiOptions {
  /** One more connection. */
  dial: Dial;
  /** As messages have it: "unix:///run/rt/rt.sock". */
  address: string;
  /** Besides those of each request. */
  headers?: Readonly<Record<string, string>> | undefined;
}

interface Peer {
  version: ApiVersion;
  isOurs: boolean;
}

/** Of an answer that is one document. A list of ten thousand containers is some 20 MiB. */
const documentBytesMax = 128 << 20;
/** Of one that says what went wrong. */
const errorBytesMax = 1 << 20;
/** `wait` has its conditions from here on, and nothing older is alive. */
const oldestVersion = "1.30";

/** Docker's Engine API from the client's side: one request, its answer, or why there is none. */
export class Api implements Disposable {
  readonly #pool: ConnectionPool;
  readonly #options: ApiOptions;
  #peer: Promise<Peer> | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#pool = new ConnectionPool(options.dial, options.address);
  }

  get address(): string {
    return this.#options.address;
  }

  /** What both sides speak. @throws RtError unavailable; unsupported: it is too old */
  async version(): Promise<ApiVersion> {
    return (await this.#met()).version;
  }

  /** Whether what answers is rt, too, which has more than Docker. */
  async isOurs(): Promise<boolean> {
    return (await this.#met()).isOurs;
  }

  /** The document that is answered; undefined where there is none. @throws RtError what the engine says; data-loss: it is cut short, or no JSON */
  async json(request: ApiRequest): Promise<unknown> {
    const { body } = await this.send(request);
    const text = (await this.#whole(body, documentBytesMax)).toString("utf8");
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new RtError("data-loss", `the engine at ${this.address} answered what is no JSON`, {
        cause: error,
      });
    }
  }

  /** What is answered says no more than that it was done. @returns the status: 204, or 304 where nothing was to do */
  async done(request: ApiRequest): Promise<number> {
    const { status, body } = await this.send(request);
    await this.#whole(body, documentBytesMax);
    return status;
  }

  /** An answer as it comes: its head is here. @throws RtError what the engine says */
  async send(request: ApiRequest): Promise<ApiAnswer> {
    const { wire, answer } = await this.#exchange(request);
    const { status, fields } = answer;
    return { status, fields, body: this.#reading(request, wire, answer) };
  }

  /** The connection itself, once the engine agrees; the caller destroys it. @throws RtError what the engine says */
  async hijack(request: ApiRequest): Promise<{ wire: Duplex; fields: HeaderFields }> {
    const upgrade = [
      ["Connection", "Upgrade"],
      ["Upgrade", "tcp"],
    ] as const;
    const asked = { ...request, fields: [...(request.fields ?? []), ...upgrade] };
    const { wire, answer } = await this.#exchange(asked, true);
    return { wire, fields: answer.fields };
  }

  [Symbol.dispose](): void {
    this.#pool[Symbol.dispose]();
  }

  #met(): Promise<Peer> {
    this.#peer ??= this.#meet().catch((error) => {
      this.#peer = undefined;
      throw error;
    });
    return this.#peer;
  }

  async #meet(): Promise<Peer> {
    const { fields, body } = await this.#answered({ method: "GET", path: "/_ping" }, "/_ping");
    await this.#whole(body, errorBytesMax);
    const theirs = fields.get("api-version") ?? "";
    const fail = (why: string) =>
      new RtError("unsupported", `the engine at ${this.address} ${why}`, { exitCode: 1 });
    if (!/^[0-9]{1,3}\.[0-9]{1,3}$/.test(theirs)) throw fail("is none: it names no version of the API");
    if (!isAtLeast(theirs, oldestVersion))
      throw fail(
        `is too old: it speaks version ${theirs} of the API, and ${oldestVersion} is the oldest here`,
      );
    const version = isAtLeast(theirs, apiVersionMax) ? apiVersionMax : theirs;
    return { version, isOurs: /^rt\//.test(fields.get("server") ?? "") };
  }

  async #answered(request: ApiRequest, target: string): Promise<ApiAnswer> {
    const { wire, answer } = await this.#tried(request, target, false);
    return { ...answer, body: this.#reading(request, wire, answer) };
  }

  async #exchange(request: ApiRequest, isAlone = false): Promise<{ wire: Duplex; answer: Answered }> {
    request.abort?.throwIfAborted();
    const target = `/v${await this.version()}${request.path}${queryText(request.query)}`;
    const { wire, answer } = await this.#tried(request, target, isAlone);
    const { status } = answer;
    if (status < 300 || status === 304) return { wire, answer };
    throw errorOf(status, await this.#errorBody(this.#reading(request, wire, answer)));
  }

  /** @param isAlone on a connection of its own */
  async #tried(
    request: ApiRequest,
    target: string,
    isAlone: boolean,
  ): Promise<{ wire: Duplex; answer: Answered }> {
    const first = isAlone ? { wire: await this.#pool.takeNew(), isNew: true } : await this.#pool.take();
    try {
      return await this.#ask(first.wire, request, target);
    } catch (error) {
      // It was closed as we wrote. What changes something may have been heard, and is not said twice.
      const isSafe = !first.isNew && (request.method === "GET" || request.method === "HEAD");
      if (!isSafe || !(error instanceof RtError) || error.code !== "unavailable") throw error;
      return await this.#ask(await this.#pool.takeNew(), request, target);
    }
  }

  async #ask(wire: Duplex, request: ApiRequest, target: string): Promise<{ wire: Duplex; answer: Answered }> {
    const { method, document, body, fields = [], abort } = request;
    using _ = abort && onAbort(abort, () => wire.destroy());
    const json = document === undefined ? undefined : Buffer.from(JSON.stringify(document));
    const type = json ? ([["Content-Type", "application/json"]] as const) : [];
    const own = Object.entries(this.#options.headers ?? {});
    try {
      const said = [
        ["Host", hostOf(this.address)],
        ["User-Agent", `rt/${version} (linux)`],
        ...own,
        ...type,
        ...fields,
      ];
      const answer = await ask(wire, {
        method,
        target,
        fields: said as [string, string][],
        body: json ?? body,
      });
      return { wire, answer };
    } catch (error) {
      wire.destroy();
      abort?.throwIfAborted();
      throw this.#unanswered(error, wire);
    }
  }

  /** What carries the connection may know why it ended. One with TLS cannot say why it does not hear whoever has none, or no certificate. */
  #unanswered(error: unknown, wire: Duplex): unknown {
    const isNoHttp = error instanceof MessageError;
    const isGone = error instanceof RtError && error.code === "unavailable" && wire.why === undefined;
    if (!isNoHttp && !isGone) return error;
    const hint = this.address.startsWith("tcp://")
      ? ": where it speaks TLS it wants --tlsverify, and a certificate (--tlscert, --tlskey)"
      : "";
    const why = isNoHttp
      ? `speaks no HTTP/1.1: ${error.message}`
      : `closed the connection without an answer${hint}`;
    return new RtError("unavailable", `the engine at ${this.address} ${why}`, { cause: error, exitCode: 1 });
  }

  async *#reading(request: ApiRequest, wire: Duplex, answer: Answered): AsyncGenerator<Uint8Array, void> {
    const { abort } = request;
    let isWhole = false;
    using _ = abort && onAbort(abort, () => wire.destroy());
    try {
      yield* answer.body;
      abort?.throwIfAborted();
      isWhole = true;
    } catch (error) {
      abort?.throwIfAborted();
      if (!(error instanceof MessageError)) throw error;
      throw new RtError("data-loss", `the engine at ${this.address} stopped in the middle of its answer`, {
        cause: error,
      });
    } finally {
      // Of a body that is sent as it comes there may be a rest.
      if (isWhole && answer.isReusable && !request.body) this.#pool.giveBack(wire);
      else wire.destroy();
    }
  }

  async #whole(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of body) {
      length += piece.length;
      if (length > bytesMax)
        throw new RtError(
          "data-loss",
          `the engine at ${this.address} answered more than ${bytesMax >> 20} MiB`,
        );
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  /** What is no document is shown as it is, where it is short. */
  async #errorBody(body: AsyncIterable<Uint8Array>): Promise<unknown> {
    const text = (await this.#whole(body, errorBytesMax)).toString("utf8").trim();
    try {
      return JSON.parse(text);
    } catch {
      return { message: text.length <= 300 ? text : "" };
    }
  }
}

/** What a server on a network checks; of a socket it means nothing. */
function hostOf(address: string): string {
  return /^(?:tcp|https?):\/\/([^/]+)/.exec(address)?.[1] ?? "localhost";
}

/** "/containers/a%20b/json" of pathOf`/containers/${"a b"}/json`. Slashes of a value stay: images' names have some. */
export function pathOf(texts: TemplateStringsArray, ...values: readonly string[]): string {
  return texts.map((text, index) => text + (index < values.length ? encoded(values[index]!) : "")).join("");
}

function encoded(value: string): string {
  if (value === "") throw new RtError("invalid-argument", "a name is missing", { exitCode: 1 });
  // As they are, two of them would lead somewhere else.
  const parts = value
    .split("/")
    .map((part) => (/^\.{1,2}$/.test(part) ? part.replaceAll(".", "%2E") : encodeURIComponent(part)));
  return parts.join("/");
}

function queryText(query: Query = {}): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue;
    for (const each of Array.isArray(value) ? value : [value === true ? "1" : String(value)])
      said.append(name, each);
  }
  const text = said.toString();
  return text === "" ? "" : `?${text}`;
}
