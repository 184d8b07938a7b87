import { RtError } from "../base/errors.ts";
import { connectionFailure } from "./connection-error.ts";
import type { Limits } from "./limits.ts";
import { TransientError } from "./retry.ts";

const shortLength = 16 << 10;

interface AnswerWay {
  crossed: boolean;
  via: string;
  /** Its request was sent to the end; else the connection is of no more use. */
  whole: boolean;
  /** One to a HEAD. */
  bodiless: boolean;
}

/** An answer whose body has not been read yet. Read it with `chunks` or `bytes`, or `discard` it. */
export class Answer {
  readonly #response: Response;
  readonly url: URL;
  /** Redirected away from the origin that was asked: its words on authentication are not the registry's. */
  readonly crossed: boolean;
  /** " through the proxy …" behind a host's name in a message, or "". */
  readonly via: string;
  readonly #way: AnswerWay;
  readonly #controller: AbortController;
  readonly #limits: Limits;
  readonly #signal: AbortSignal | undefined;

  constructor(
    response: Response,
    url: URL,
    way: AnswerWay,
    controller: AbortController,
    limits: Limits,
    signal: AbortSignal | undefined,
  ) {
    this.#response = response;
    this.url = url;
    this.crossed = way.crossed;
    this.via = way.via;
    this.#way = way;
    this.#controller = controller;
    this.#limits = limits;
    this.#signal = signal;
  }

  get status(): number {
    return this.#response.status;
  }

  get headers(): Headers {
    return this.#response.headers;
  }

  discard(): void {
    this.#controller.abort();
  }

  /** As `discard`, but what is short is read, so that the connection serves the next request. */
  async finish(): Promise<void> {
    if (this.#way.bodiless || this.status === 204) return;
    const length = this.headers.get("content-length");
    if (!this.#way.whole || length === null || Number(length) > shortLength) return this.discard();
    try {
      await this.bytes(shortLength, "an answer");
    } catch (error) {
      // What it was, the headers have said.
      if (error instanceof RtError && error.code !== "cancelled") return;
      throw error;
    }
  }

  /** The body as it comes. Only time spent waiting for the network counts as idle, not the consumer's. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const reader = this.#response.body?.getReader();
    if (!reader) return;
    const { idleMs, idleBytesMin } = this.#limits;
    const stalled = new TransientError(
      `${this.url.host} stalls: under ${idleBytesMin} bytes in ${idleMs / 1000} s`,
    );
    let complete = false;
    let waitedMs = 0;
    let bytes = 0;
    try {
      for (;;) {
        const start = performance.now();
        const timer = setTimeout(() => this.#controller.abort(stalled), idleMs);
        const { done, value } = await reader.read().finally(() => clearTimeout(timer));
        if (done) {
          complete = true;
          return;
        }
        waitedMs += performance.now() - start;
        bytes += value.length;
        if (waitedMs >= idleMs) {
          if (bytes < idleBytesMin) throw stalled;
          waitedMs = bytes = 0;
        }
        yield value;
      }
    } catch (error) {
      const reason: unknown = this.#controller.signal.reason;
      if (reason instanceof RtError) throw reason;
      throw connectionFailure(error, this.url, this.via, this.#signal);
    } finally {
      if (!complete || !this.#way.whole) this.discard();
    }
  }

  /** The whole body. @throws exhausted beyond `bytesMax`; TransientError if it takes longer than a document may */
  async bytes(bytesMax: number, what: string): Promise<Uint8Array> {
    const tooLong = () =>
      new RtError("exhausted", `${what} from ${this.url.host} is larger than ${bytesMax} bytes`);
    if (Number(this.headers.get("content-length") ?? 0) > bytesMax) {
      this.discard();
      throw tooLong();
    }
    const late = new TransientError(
      `${what} from ${this.url.host} is not complete in ${this.#limits.documentMs / 1000} s`,
    );
    const timer = setTimeout(() => this.#controller.abort(late), this.#limits.documentMs);
    try {
      const parts: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of this.chunks()) {
        length += chunk.length;
        if (length > bytesMax) throw tooLong();
        parts.push(chunk);
      }
      return Buffer.concat(parts, length);
    } finally {
      clearTimeout(timer);
    }
  }
}
