import type { Restart } from "./config.ts";

const shortest_ms = 100;
const longest_ms = 60_000;
const steady_ms = 10_000;

/** How long to wait before a program that has ended is started again: doubling, and anew once it has run for a while. */
export class Backoff {
  #next_ms = shortest_ms;

  /** @param up_ms how long it ran this time */
  pause(up_ms: number): number {
    if (up_ms >= steady_ms) this.#next_ms = shortest_ms;
    const pause_ms = this.#next_ms;
    this.#next_ms = Math.min(pause_ms * 2, longest_ms);
    return pause_ms;
  }
}

export function restarts(policy: Restart, status: number): boolean {
  return policy === "always" || (policy === "on-failure" && status !== 0);
}
