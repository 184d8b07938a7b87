/** A client of Docker's API on a Unix socket, the same for every daemon: connections that are kept, and ones that are taken over. */
import { type Answered, ask } from "../../src/http/client.ts";
import type { Duplex } from "../../src/http/duplex.ts";
import { connectDuplex } from "../../src/http/socket.ts";
import { upgrade } from "../support/hijack.ts";

/** Spoken by all of them. */
const version = "/v1.41";

export interface Answer {
  status: number;
  text: string;
}

export class ApiClient implements Disposable {
  readonly #socket: string;
  /** Connections between two requests. */
  readonly #idle: Duplex[] = [];

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @throws Error: the status is another than `wanted`, with what was said instead */
  async request(method: string, target: string, wanted: number, body?: object): Promise<string> {
    const answered = await this.#ask(method, target, body);
    const pieces: Uint8Array[] = [];
    for await (const piece of answered.body) pieces.push(piece);
    this.#done(answered);
    const text = Buffer.concat(pieces).toString("utf8");
    if (answered.status !== wanted)
      throw new Error(`${method} ${target} was answered with ${answered.status}: ${text.slice(0, 300)}`);
    return text;
  }

  // biome-ignore lint/suspicious/noExplicitAny: a document of the API, of which each work looks at what it needs
  async json(method: string, target: string, wanted: number, body?: object): Promise<any> {
    return JSON.parse(await this.request(method, target, wanted, body));
  }

  /** The pieces of an answer as they come, to its end. */
  async *pieces(target: string): AsyncGenerator<Uint8Array, void> {
    const answered = await this.#ask("GET", target);
    if (answered.status !== 200) throw new Error(`GET ${target} was answered with ${answered.status}`);
    yield* answered.body;
    this.#done(answered);
  }

  /** A connection that is the container's streams; whoever takes it destroys it. */
  async hijack(target: string, body?: object): Promise<Duplex> {
    const answered = await this.#ask("POST", target, body, upgrade);
    if (answered.status === 101) return answered.wire;
    answered.wire.destroy();
    throw new Error(`POST ${target} was answered with ${answered.status}`);
  }

  async #ask(method: string, target: string, body?: object, fields: Record<string, string> = {}) {
    const wire = this.#idle.pop() ?? (await connectDuplex({ unix: this.#socket }));
    const type: [string, string][] = body ? [["Content-Type", "application/json"]] : [];
    return ask(wire, {
      method,
      target: `${version}${target}`,
      fields: [["Host", "bench"], ...type, ...Object.entries(fields)],
      ...(body && { body: Buffer.from(JSON.stringify(body)) }),
    });
  }

  #done({ wire, isReusable }: Answered): void {
    if (isReusable) this.#idle.push(wire);
    else wire.destroy();
  }

  [Symbol.dispose](): void {
    for (const wire of this.#idle) wire.destroy();
  }
}

/** How many bytes stand in frames, which may begin and end anywhere in the pieces. @throws Error: the last is cut */
export async function framedBytes(pieces: AsyncIterable<Uint8Array>): Promise<number> {
  const head = Buffer.alloc(8);
  let [bytes, headBytes, left] = [0, 0, 0];
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      if (left > 0) {
        const taken = Math.min(left, piece.length - at);
        [at, left] = [at + taken, left - taken];
        continue;
      }
      while (headBytes < 8 && at < piece.length) head[headBytes++] = piece[at++]!;
      if (headBytes < 8) break;
      [left, headBytes] = [head.readUInt32BE(4), 0];
      bytes += left;
    }
  }
  if (left > 0 || headBytes > 0) throw new Error("the last frame is cut");
  return bytes;
}
