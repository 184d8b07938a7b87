import { onAbort } from "../base/abort.ts";
import { bodyOf, chunk, endOfChunks, requestFraming } from "./body.ts";
import type { Duplex } from "./duplex.ts";
import {
  type HeaderFields,
  hasWord,
  headText,
  MessageError,
  type RequestHead,
  readHead,
  requestHead,
} from "./head.ts";
import { reasonOf } from "./status.ts";

/**
 * The server's side of a connection, RFC 9112: one request after the other, each answered before the next is read. In place of
 * an answer a handler may take the connection for itself (`hijack`), as Docker's attach does:
 *
 *   client   POST /containers/X/attach …  Connection: Upgrade  Upgrade: tcp
 *   server   101 UPGRADED (or 200 OK to one that asks for no upgrade)
 *   both     bytes, until both have ended
 */
export type FieldList = Iterable<readonly [string, string]>;

export interface ServedConnection {
  wire: Duplex;
  /** Answers in full, hijacks, or throws: then the connection ends. */
  handle(exchange: HttpExchange): Promise<void>;
  /** What was no request: an answer for its sender, before the connection ends. */
  refuse(exchange: HttpExchange, error: MessageError): void;
  /** Of a request's head, from its first byte (or the connection's) on. */
  headWithin_ms: number;
}

/** An answer that is not read is not waited for longer than its body's rest of so many bytes. */
const restBytesMax = 1 << 20;

export async function serveConnection({
  wire,
  handle,
  refuse,
  headWithin_ms,
}: ServedConnection): Promise<void> {
  try {
    while (!wire.gone.aborted) {
      const exchange = await nextExchange(wire, headWithin_ms, refuse);
      if (!exchange) break;
      await handle(exchange);
      if (exchange.isHijacked) return;
      if (!(await exchange.finish())) break;
      // Who asks and does not read is not asked what else he wants.
      await wire.flush();
    }
    await wire.flush();
    wire.end();
    await drain(wire);
  } finally {
    wire.destroy();
  }
}

async function nextExchange(
  wire: Duplex,
  headWithin_ms: number,
  refuse: ServedConnection["refuse"],
): Promise<HttpExchange | undefined> {
  // A connection between two requests may be silent as long as it likes; a request that has begun may not.
  const first = await wire.read();
  if (!first) return undefined;
  wire.unread(first);
  const timer = setTimeout(() => wire.destroy(), headWithin_ms);
  try {
    const lines = await readHead(wire);
    return lines && new HttpExchange(wire, requestHead(lines));
  } catch (error) {
    if (!(error instanceof MessageError) || wire.gone.aborted) return undefined;
    refuse(new HttpExchange(wire, { method: "GET", target: "/", minor: 1, fields: new Map() }), error);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Closing with unread bytes would be a reset, which can take the answer away: what still comes is read, for a while. */
async function drain(wire: Duplex): Promise<void> {
  const timer = setTimeout(() => wire.destroy(), 500);
  let left = restBytesMax;
  for (let piece = await wire.read(); piece && left > 0; piece = await wire.read()) left -= piece.length;
  clearTimeout(timer);
}

export class HttpExchange {
  readonly head: RequestHead;
  readonly #wire: Duplex;
  readonly #left = new AbortController();
  #body: AsyncGenerator<Uint8Array, void> | undefined;
  #isBodyRead: boolean;
  #state: "waiting" | "streaming" | "answered" | "hijacked" = "waiting";
  #isLast: boolean;
  /** A connection has many requests. */
  readonly #onGone: Disposable;

  /** @throws MessageError: the body has no end that we know */
  constructor(wire: Duplex, head: RequestHead) {
    this.#wire = wire;
    this.head = head;
    const framing = requestFraming(head.fields);
    this.#isBodyRead = framing === 0;
    if (framing !== 0) this.#body = this.#reading(bodyOf(wire, framing));
    // What is chunked in HTTP/1.0 ends elsewhere for somebody on the way, RFC 9112, section 6.1.
    this.#isLast =
      head.minor === 0
        ? framing === "chunked" || !hasWord(head.fields, "connection", "keep-alive")
        : hasWord(head.fields, "connection", "close");
    this.#onGone = onAbort(wire.gone, () => this.#left.abort());
    // A client that has sent its request and ends its side has gone: what else is there that it could say?
    wire.onEnd(() => {
      if (this.#isBodyRead && this.#state !== "hijacked") this.#left.abort();
    });
  }

  get fields(): HeaderFields {
    return this.head.fields;
  }

  /** Aborted when the client wants no answer any more. */
  get gone(): AbortSignal {
    return this.#left.signal;
  }

  /** As if the client had gone: for what has no end of its own, when we are to end. */
  abandon(): void {
    this.#left.abort();
  }

  get isHijacked(): boolean {
    return this.#state === "hijacked";
  }

  /** Nothing of an answer has been sent. */
  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  /** What the client sends with the request, once. A client that asks whether to is told so now. @throws MessageError while it is read */
  get body(): AsyncGenerator<Uint8Array, void> {
    return this.#body ?? nothing();
  }

  async *#reading(body: AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
    if (hasWord(this.fields, "expect", "100-continue") && this.#state === "waiting")
      void this.#wire.write(Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"));
    try {
      yield* body;
      this.#isBodyRead = true;
    } finally {
      // Whoever stops before its end, or stumbles, leaves a rest that would be the next request.
      if (!this.#isBodyRead) this.#isLast = true;
    }
  }

  /** A whole answer. */
  answer(status: number, fields: FieldList, body: Uint8Array | string = ""): void {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const hasBody = status !== 204 && status !== 304;
    const length: [string, string][] = hasBody ? [["Content-Length", String(bytes.length)]] : [];
    const head = this.#head(status, [...fields, ...length]);
    this.#state = "answered";
    const isSent = hasBody && this.head.method !== "HEAD";
    void this.#wire.write(isSent ? Buffer.concat([head, bytes]) : head);
  }

  /** An answer whose end is not known: its head is sent at once. */
  stream(status: number, fields: FieldList): BodyWriter {
    const isChunked = this.head.minor === 1;
    if (!isChunked) this.#isLast = true;
    const coding: [string, string][] = isChunked ? [["Transfer-Encoding", "chunked"]] : [];
    void this.#wire.write(this.#head(status, [...fields, ...coding]));
    this.#state = "streaming";
    return {
      write: (bytes) => {
        if (this.#state !== "streaming" || bytes.length === 0 || this.head.method === "HEAD")
          return undefined;
        return this.#wire.write(isChunked ? chunk(bytes) : bytes);
      },
      end: () => {
        if (this.#state !== "streaming") return;
        this.#state = "answered";
        if (isChunked && this.head.method !== "HEAD") void this.#wire.write(endOfChunks());
      },
    };
  }

  /**
   * The connection is the handler's, which destroys it in the end. The request's body must have been read.
   * @param fields of the answer; with 101 those of an upgrade are added
   */
  hijack(fields: FieldList): Duplex {
    const protocol = hasWord(this.fields, "connection", "upgrade") ? this.fields.get("upgrade") : undefined;
    const upgrade: [string, string][] =
      protocol === undefined
        ? []
        : [
            ["Connection", "Upgrade"],
            ["Upgrade", protocol],
          ];
    this.#state = "hijacked";
    const first = protocol === undefined ? "HTTP/1.1 200 OK" : "HTTP/1.1 101 UPGRADED";
    void this.#wire.write(Buffer.from(headText(first, [...fields, ...upgrade]), "latin1"));
    return this.#wire;
  }

  #head(status: number, fields: FieldList): Buffer {
    const end: [string, string][] = this.#isLast ? [["Connection", "close"]] : [];
    return Buffer.from(headText(`HTTP/1.1 ${status} ${reasonOf(status)}`, [...fields, ...end]), "latin1");
  }

  /** @returns whether another request may follow on this connection */
  async finish(): Promise<boolean> {
    this.#onGone[Symbol.dispose]();
    if (this.#state !== "answered" || this.#isLast || this.#wire.gone.aborted) return false;
    if (this.#isBodyRead) return true;
    // What was refused before it was read is read to its end where that is near.
    if (hasWord(this.fields, "expect", "100-continue")) return false;
    let left = restBytesMax;
    try {
      for await (const piece of this.body) {
        left -= piece.length;
        if (left < 0) return false;
      }
    } catch {
      return false; // the next request could not be told from this one's body
    }
    return true;
  }
}

export interface BodyWriter {
  /** @returns undefined, or what to wait for before more is written */
  write(bytes: Uint8Array): Promise<void> | undefined;
  end(): void;
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}
