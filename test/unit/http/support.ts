import { Duplex } from "../../../src/http/duplex.ts";

/** A wire in the hand: what is written to it is kept, and what comes is what the test says. */
export class HeldDuplex extends Duplex {
  readonly #written: { bytes: Uint8Array[] };
  readonly calls: string[];

  /** @param takes how many bytes of each write are taken */
  constructor(takes: (bytes: Uint8Array) => number = (bytes) => bytes.length) {
    const written: { bytes: Uint8Array[] } = { bytes: [] };
    const calls: string[] = [];
    super({
      write(bytes) {
        const taken = takes(bytes);
        written.bytes.push(bytes.slice(0, taken));
        return taken;
      },
      pause: () => void calls.push("pause"),
      resume: () => void calls.push("resume"),
      end: () => void calls.push("end"),
      terminate: () => void calls.push("terminate"),
    });
    this.#written = written;
    this.calls = calls;
  }

  get text(): string {
    return Buffer.concat(this.#written.bytes).toString("latin1");
  }

  says(...pieces: string[]): this {
    for (const piece of pieces) this.received(Buffer.from(piece, "latin1"));
    return this;
  }
}
