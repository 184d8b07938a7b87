import { keepWithinLimit } from "../care/limit.ts";
import type { Host } from "../host.ts";

const pause_ms = 200;

/** The store's limit after something has come: looked at once for all that comes within a moment, and nobody waits for it. */
export class WithinLimit implements AsyncDisposable {
  readonly #host: Host;
  readonly #onFailure: (error: unknown) => void;
  #fresh: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(host: Host, onFailure: (error: unknown) => void) {
    this.#host = host;
    this.#onFailure = onFailure;
  }

  /** @param image its ID, where it is one: the last that came does not go again at once */
  arrived(image?: string): void {
    this.#fresh = image ?? this.#fresh;
    this.#timer ??= setTimeout(() => this.#begin(), pause_ms);
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const fresh = this.#fresh === undefined ? [] : [this.#fresh];
    this.#fresh = undefined;
    this.#working = this.#working.then(async () => {
      try {
        await keepWithinLimit(this.#host, fresh);
      } catch (error) {
        this.#onFailure(error);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== undefined) this.#begin();
    await this.#working;
  }
}
