/**
 * Callers who are attached to containers ahead of their start. When this process starts one they are joined first, so that
 * nothing of its output passes them by; a start of another process they notice by themselves (container/join.ts).
 */
export class StartWaiters {
  readonly #waiting = new Map<string, Set<StartWaiter>>();

  /** Of the container `id`, until disposed of. */
  add(id: string, waiter: StartWaiter): Disposable {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(waiter));
    return {
      [Symbol.dispose]: () => {
        waiting.delete(waiter);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      },
    };
  }

  join(id: string): void {
    for (const { join } of [...(this.#waiting.get(id) ?? [])]) join();
  }

  fail(id: string, error: unknown): void {
    for (const { fail } of [...(this.#waiting.get(id) ?? [])]) fail(error);
  }
}

interface StartWaiter {
  /** Called when the program is built, and waits. */
  join(): void;
  /** It could not be started. */
  fail(error: unknown): void;
}
