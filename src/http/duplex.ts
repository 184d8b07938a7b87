/**
 * One connection, as whoever speaks over it has it: bytes in order, each direction ended on its own (a half-close), and neither
 * faster than it is taken. What carries it (a socket of Bun's, a child's pipes) is its `Carrier`, and calls `received`, `ended`,
 * `drained` and `closed`.
 */
export interface Carrier {
  /** @returns how many of the bytes it has taken; it calls `drained` when it takes more */
  write(bytes: Uint8Array): number;
  /** No more of what comes is wanted for now; some may come all the same. */
  pause(): void;
  resume(): void;
  /** Nothing more is written; what comes is still read. */
  end(): void;
  /** Both directions, at once, with what is not sent yet. */
  terminate(): void;
}

/** Of what came and nobody has read yet. */
const readAheadBytes = 64 << 10;
/** Of what is written and not taken yet: beyond it a writer waits. */
const writeAheadBytes = 256 << 10;

export class Duplex {
  readonly #carrier: Carrier;
  readonly #gone = new AbortController();
  readonly #in: Uint8Array[] = [];
  #inBytes = 0;
  #isPaused = false;
  #hasEnded = false;
  #reader: (() => void) | undefined;
  readonly #out: Uint8Array[] = [];
  #outBytes = 0;
  #isEnding = false;
  #writers: (() => void)[] = [];
  #onEnd: (() => void) | undefined;
  #why: Error | undefined;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  /** Of a connection that broke off, where that is known. */
  get why(): Error | undefined {
    return this.#why;
  }

  /** Aborted once it is closed in both directions, by whomever. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** The other side writes nothing more; what it wrote may not be read yet. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Called once, when the other side writes nothing more; at once where that is so. */
  onEnd(call: () => void): void {
    if (this.#hasEnded) call();
    else this.#onEnd = call;
  }

  /** What has come, as soon as there is something. Undefined: the other side ended, or it is closed. One reader at a time. */
  async read(): Promise<Uint8Array | undefined> {
    while (true) {
      const first = this.#in.shift();
      if (first) {
        this.#inBytes -= first.length;
        if (this.#isPaused && this.#inBytes < readAheadBytes / 2) this.#resume();
        return first;
      }
      if (this.#hasEnded || this.gone.aborted) return undefined;
      await new Promise<void>((resolve) => {
        this.#reader = resolve;
      });
    }
  }

  /** Read too far: the next `read` answers it. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#in.unshift(bytes);
    this.#inBytes += bytes.length;
  }

  /**
   * The bytes are the wire's from here on. @returns undefined, or what to wait for before more is written; it is fulfilled, too,
   * when the wire is closed, which then takes everything and sends nothing
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.gone.aborted || this.#isEnding || bytes.length === 0) return undefined;
    let rest = bytes;
    if (this.#out.length === 0) {
      const taken = Math.max(0, this.#carrier.write(bytes));
      if (taken === bytes.length) return undefined;
      rest = bytes.subarray(taken);
    }
    this.#out.push(rest);
    this.#outBytes += rest.length;
    if (this.#outBytes <= writeAheadBytes) return undefined;
    return new Promise((resolve) => this.#writers.push(resolve));
  }

  /** All that was written has been taken by the kernel, or never will. */
  async flush(): Promise<void> {
    while (this.#out.length > 0 && !this.gone.aborted)
      await new Promise<void>((resolve) => this.#writers.push(resolve));
  }

  /** Nothing more is written, once what was is sent. The other direction goes on. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#out.length === 0 && !this.gone.aborted) this.#carrier.end();
  }

  /** Both directions, at once. */
  destroy(): void {
    if (this.gone.aborted) return;
    this.#carrier.terminate();
    this.closed();
  }

  received(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#hasEnded) return;
    this.#in.push(bytes);
    this.#inBytes += bytes.length;
    if (!this.#isPaused && this.#inBytes >= readAheadBytes) {
      this.#isPaused = true;
      this.#carrier.pause();
    }
    this.#wake();
  }

  ended(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#wake();
    this.#onEnd?.();
  }

  drained(): void {
    while (this.#out.length > 0) {
      const first = this.#out[0]!;
      const taken = Math.max(0, this.#carrier.write(first));
      this.#outBytes -= taken;
      if (taken < first.length) {
        this.#out[0] = first.subarray(taken);
        return;
      }
      this.#out.shift();
    }
    this.#release();
    if (this.#isEnding) this.#carrier.end();
  }

  /** @param why it was, where somebody knows: a failure for whoever still waits for something */
  closed(why?: Error): void {
    if (this.gone.aborted) return;
    this.#why = why;
    this.#out.length = 0;
    this.#outBytes = 0;
    this.ended();
    this.#gone.abort();
    this.#release();
  }

  #resume(): void {
    this.#isPaused = false;
    if (!this.gone.aborted) this.#carrier.resume();
  }

  #wake(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.();
  }

  #release(): void {
    const writers = this.#writers;
    this.#writers = [];
    for (const resolve of writers) resolve();
  }
}
