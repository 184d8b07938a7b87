/**
 * Bytes that one side brings as they come and another fetches: at most one piece lies between them, so that whoever brings
 * waits for a slow reader.
 */
export class Incoming {
  #piece: Uint8Array | undefined;
  #over = false;
  #failure: { error: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  /** Resolves when the piece has been fetched, or nobody fetches any more. */
  async bring(piece: Uint8Array): Promise<void> {
    this.#piece = piece;
    this.#wake();
    while (this.#piece === piece && !this.#over && !this.#failure) await this.#changed.promise;
  }

  end(): void {
    this.#over = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure.error;
      const piece = this.#piece;
      if (piece) {
        this.#piece = undefined;
        this.#wake();
        return piece;
      }
      if (this.#over) return undefined;
      await this.#changed.promise;
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
