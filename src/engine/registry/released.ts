import { withReserve } from "../../store/reserve.ts";
import { collect } from "../care/collect.ts";
import type { Host } from "../host.ts";

const pause_ms = 200;

/** What was deleted goes soon after: one collection for all that came within a moment. */
export class Released implements AsyncDisposable {
  readonly #host: Host;
  readonly #onFailure: (error: unknown) => void;
  #items = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(host: Host, onFailure: (error: unknown) => void) {
    this.#host = host;
    this.#onFailure = onFailure;
  }

  add(items: readonly string[]): void {
    for (const item of items) this.#items.add(item);
    if (items.length > 0) this.#timer ??= setTimeout(() => this.#begin(), pause_ms);
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const released = this.#items;
    this.#items = new Set();
    this.#working = this.#working.then(async () => {
      try {
        await withReserve(this.#host.paths.root, () => collect(this.#host, { released }));
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
