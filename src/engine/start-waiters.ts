/**
 * Callers who are attached to containers ahead of their start. When this process starts one they are joined first, so that
 * nothing of its output passes them by; a start of another process they notice by themselves (container/join.ts).
 */
export class StartWaiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** @param join called when the program of the container `id` is built, and waits; until disposed of */
  add(id: string, join: () => void): Disposable {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(join));
    return {
      [Symbol.dispose]: () => {
        waiting.delete(join);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      },
    };
  }

  join(id: string): void {
    for (const join of [...(this.#waiting.get(id) ?? [])]) join();
  }
}
