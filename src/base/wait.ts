/** Wait until `condition` holds, looking more and more seldom; false when it does not within `limit_ms`. */
export async function holdsWithin(limit_ms: number, condition: () => boolean): Promise<boolean> {
  // Not the clock that people set.
  const deadline = performance.now() + limit_ms;
  for (let pause_ms = 2; !condition(); pause_ms = Math.min(pause_ms * 1.5, 50)) {
    if (performance.now() > deadline) return false;
    await Bun.sleep(pause_ms);
  }
  return true;
}
