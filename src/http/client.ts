import { RtError } from "../base/errors.ts";
import { bodyOf, chunk, endOfChunks, responseFraming } from "./body.ts";
import type { Duplex } from "./duplex.ts";
import { type HeaderFields, hasWord, headText, type ResponseHead, readHead, responseHead } from "./head.ts";

/** The client's side of a connection, RFC 9112: one request, its answer, the next request. See server.ts for a hijack. */
export interface Asked {
  method: string;
  target: string;
  fields: Iterable<readonly [string, string]>;
  /** Pieces of no length that is known are sent in chunks. */
  body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
}

export interface Answered {
  status: number;
  fields: HeaderFields;
  /** To be read to its end, once, or the connection is of no more use. */
  body: AsyncGenerator<Uint8Array, void>;
  /** The connection is the caller's now: 101, or 200 to what only a hijack answers. */
  wire: Duplex;
  /** After the body: another request may follow on this connection. */
  isReusable: boolean;
}

/**
 * @throws MessageError: what answers speaks no HTTP/1.1, or went before it did
 */
export async function ask(wire: Duplex, asked: Asked): Promise<Answered> {
  const sending = send(wire, asked);
  // An answer may come before all is sent: that it is refused, most likely.
  sending.catch(() => {});
  const head = await Promise.race([finalHead(wire), sending.then(() => new Promise<never>(() => {}))]);
  const framing = responseFraming(head.status, asked.method, head.fields);
  const isReusable =
    head.minor === 1 &&
    head.status !== 101 &&
    framing !== "until-end" &&
    !hasWord(head.fields, "connection", "close");
  const { status, fields } = head;
  return { status, fields, body: bodyOf(wire, framing), wire, isReusable };
}

/** What says no more than that more is to come is passed over, but for an upgrade. */
async function finalHead(wire: Duplex): Promise<ResponseHead> {
  while (true) {
    const lines = await readHead(wire);
    if (!lines) throw await closedEarly(wire);
    const head = responseHead(lines);
    if (head.status >= 200 || head.status === 101) return head;
  }
}

const whyWithin_ms = 1000;

/** A program that a connection leads through tells why in its end, which comes after that of its output. */
async function closedEarly(wire: Duplex): Promise<Error> {
  wire.end();
  const closed = new Promise<void>((resolve) => wire.gone.addEventListener("abort", () => resolve()));
  if (!wire.gone.aborted) await Promise.race([closed, Bun.sleep(whyWithin_ms)]);
  return wire.why ?? new RtError("unavailable", "the connection was closed before an answer came");
}

async function send(wire: Duplex, { method, target, fields, body }: Asked): Promise<void> {
  const first = `${method} ${target} HTTP/1.1`;
  if (body === undefined || body instanceof Uint8Array) {
    const length: [string, string][] =
      body || method !== "GET" ? [["Content-Length", String(body?.length ?? 0)]] : [];
    const head = Buffer.from(headText(first, [...fields, ...length]), "latin1");
    await wire.write(body ? Buffer.concat([head, body]) : head);
    return;
  }
  await wire.write(Buffer.from(headText(first, [...fields, ["Transfer-Encoding", "chunked"]]), "latin1"));
  for await (const piece of body) {
    // Who has answered, and gone, wants no more of it.
    if (wire.gone.aborted) return;
    if (piece.length > 0) await wire.write(chunk(piece));
  }
  await wire.write(endOfChunks());
}
