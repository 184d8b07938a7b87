/** By how much slower than usual the machine is: the second kernel (test/vm) says so, and every wait here is longer. */
export const patience = Number(process.env.RT_TEST_PATIENCE || 1);

/**
 * Waiting for a condition, never for a time: `until` asks again every few milliseconds and gives what it was told.
 * @throws Error after `timeoutMs`, saying what did not happen.
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs * patience;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs * patience} ms: ${what}`);
    await Bun.sleep(5);
  }
}

/** Of a text that did not have what was waited for, its end. */
const shownMax = 16_384;

/** Text that grows (output of a process, a terminal's screen), and waiting for something to appear in it. */
export class Transcript {
  text = "";
  readonly #decoder = new TextDecoder();
  #ended = false;

  add(bytes: Uint8Array): void {
    this.text += this.#decoder.decode(bytes, { stream: true });
  }

  end(): void {
    this.#ended = true;
  }

  /** Reads `streams` to the end of the last of them. */
  async drain(...streams: readonly ReadableStream<Uint8Array>[]): Promise<void> {
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const chunk of stream) this.add(chunk);
    };
    await Promise.all(streams.map(read));
    this.end();
  }

  /** Waits for `pattern`, and answers its match. An end of the text without it is an error at once. */
  async waitFor(pattern: string | RegExp, timeoutMs = 30_000): Promise<RegExpMatchArray> {
    const expression = typeof pattern === "string" ? new RegExp(RegExp.escape(pattern)) : pattern;
    let searched = -1;
    const look = () => {
      const { length } = this.text;
      // Megabytes come from a console that is flooded: what cannot have changed is not looked at again.
      const from = typeof pattern === "string" ? searched - pattern.length : 0;
      const isNew = length > searched && (typeof pattern !== "string" || this.text.includes(pattern, from));
      searched = length;
      const match = isNew ? this.text.match(expression) : null;
      if (match === null && this.#ended) throw new Error(`${expression} did not come before the end`);
      return match;
    };
    try {
      return await until(String(expression), look, timeoutMs);
    } catch (error) {
      const cut = this.text.length > shownMax ? "…" : "";
      throw new Error(`${(error as Error).message}; got:\n${cut}${this.text.slice(-shownMax)}`);
    }
  }
}
