import type { Streams } from "../engine/session.ts";
import type { Duplex } from "../http/duplex.ts";
import { hasWord } from "../http/head.ts";
import type { ApiCall } from "./call.ts";
import { type OutputStream, outputFrame } from "./frames.ts";

/** Two outputs in frames, or the one of a terminal as it is. */
export const multiplexedType = "application/vnd.docker.multiplexed-stream";
export const rawType = "application/vnd.docker.raw-stream";

/** How the outputs of a program come to a client. @param tty it has a terminal, and one output */
export function streamType(call: ApiCall, tty: boolean): string {
  return !tty && call.since("1.42") ? multiplexedType : rawType;
}

/** The same on a connection: a client that asks for no upgrade is told of one kind alone. */
export function hijackType(call: ApiCall, tty: boolean): string {
  return hasWord(call.exchange.fields, "connection", "upgrade") ? streamType(call, tty) : rawType;
}

/** Whether a container has a terminal. @throws RtError not-found */
export async function hasTerminal(call: ApiCall, name: string): Promise<boolean> {
  const { Config } = await call.engine.container.inspect(name);
  return "Tty" in Config && Config.Tty;
}

/**
 * How long after the head nothing follows, for a client that reads the head through a buffer and the stream past it, as Docker's for
 * Python does: what comes with the head is lost on that one.
 */
const apart_ms = 50;

export function readsApart(call: ApiCall): boolean {
  return /\bdocker-(sdk-python|py)\//.test(call.exchange.fields.get("user-agent") ?? "");
}

export interface WantedStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Not right behind the head. */
  isApart: boolean;
}

/**
 * A connection that is a program's input and output from `begin` on:
 *
 *   const hijack = new Hijack((tty) => call.hijack(hijackType(call, tty)), { stdin: true, … })
 *   await call.engineFor({ stdio: hijack.streams }).container.attach(name, { …, onAttached: (tty) => hijack.begin(tty) })
 *   await hijack.end()
 *
 * A client's half-close is the end of the program's input. A client that reads slowly has its own program wait, and nobody else's.
 */
export class Hijack implements Disposable {
  readonly #begin: (tty: boolean) => Duplex;
  readonly #wanted: WantedStreams;
  readonly #begun = Promise.withResolvers<Duplex>();
  #wire: Duplex | undefined;
  #isFramed = false;
  #apart: Promise<void> | undefined;

  /** @param begin answers the client, and takes the connection; the program has a terminal, or its outputs come in frames */
  constructor(begin: (tty: boolean) => Duplex, wanted: WantedStreams) {
    this.#begin = begin;
    this.#wanted = wanted;
  }

  get hasBegun(): boolean {
    return this.#wire !== undefined;
  }

  begin(tty: boolean): void {
    if (this.#wire) return;
    this.#isFramed = !tty;
    this.#wire = this.#begin(tty);
    if (this.#wanted.isApart) this.#apart = this.#waited();
    this.#begun.resolve(this.#wire);
  }

  get streams(): Streams {
    return {
      kind: "streams",
      output: (stream, bytes) => this.write(stream, bytes),
      ...(this.#wanted.stdin && { stdin: this.#input() }),
    };
  }

  /** Before it has begun nothing is lost on anybody: nobody waits for it. */
  write(stream: OutputStream, bytes: Uint8Array): Promise<void> | undefined {
    if (!this.#wanted[stream]) return undefined;
    const send = () => this.#wire?.write(this.#isFramed ? outputFrame(stream, bytes) : bytes);
    return this.#apart ? this.#apart.then(send) : send();
  }

  async #waited(): Promise<void> {
    await Bun.sleep(apart_ms);
    this.#apart = undefined;
  }

  async *#input(): AsyncGenerator<Uint8Array, void> {
    const wire = await this.#begun.promise;
    for (let piece = await wire.read(); piece; piece = await wire.read()) yield piece;
  }

  /** All that was written is sent, and the client has read it or gone. */
  async end(): Promise<void> {
    await this.#apart;
    if (this.#wire) await endGently(this.#wire);
  }

  [Symbol.dispose](): void {
    this.#wire?.destroy();
  }
}

const restWithin_ms = 500;

/** Closing with unread bytes would be a reset, which can take away what was written: what still comes is read, for a while. */
export async function endGently(wire: Duplex): Promise<void> {
  await wire.flush();
  wire.end();
  const timer = setTimeout(() => wire.destroy(), restWithin_ms);
  while (await wire.read());
  clearTimeout(timer);
  wire.destroy();
}

/** Of a client without a connection of its own for it: as the body of an answer, or whatever else takes pieces. */
export function outputTo(
  call: ApiCall,
  write: (stream: OutputStream, bytes: Uint8Array) => Promise<void> | undefined,
): Streams {
  return {
    kind: "streams",
    output(stream, bytes) {
      // Nothing more is read for one who has gone.
      call.exchange.gone.throwIfAborted();
      return write(stream, bytes);
    },
  };
}
