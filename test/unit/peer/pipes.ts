/** Two ends of a conversation in memory, and one whose other end is the test's. */
import type { PeerPipe } from "../../../src/peer/channel.ts";
import { frameHeader, greeting, type PeerFrameKind } from "../../../src/peer/frames.ts";

export class MemoryPipe {
  readonly written: Uint8Array[] = [];
  #pieces: (Uint8Array | undefined)[] = [];
  #wake = () => {};

  /** What the other side says; undefined is its end. */
  come(piece: Uint8Array | undefined): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  async *#input(): AsyncGenerator<Uint8Array> {
    for (;;) {
      while (this.#pieces.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      const piece = this.#pieces.shift();
      if (!piece) return;
      yield piece;
    }
  }

  pipe(write: (bytes: Uint8Array) => void = (bytes) => this.written.push(bytes.slice())): PeerPipe {
    return {
      input: this.#input(),
      async write(bytes) {
        write(bytes);
        return true;
      },
      ending: async () => undefined,
      close: async () => {},
    };
  }
}

export function pair(): [PeerPipe, PeerPipe] {
  const [a, b] = [new MemoryPipe(), new MemoryPipe()];
  return [a.pipe((bytes) => b.come(bytes.slice())), b.pipe((bytes) => a.come(bytes.slice()))];
}

export function frame(kind: PeerFrameKind, id: number, value?: object | Uint8Array): Uint8Array {
  const payload =
    value instanceof Uint8Array ? value : new TextEncoder().encode(value ? JSON.stringify(value) : "");
  return Buffer.concat([frameHeader(kind, id, payload.length), payload]);
}

export function hello(parts: object = {}): Uint8Array {
  const said = { role: "give", speaks: [1], patience_ms: 1000, version: "9.9", ...parts };
  return Buffer.concat([greeting, frame("hello", 0, said)]);
}
