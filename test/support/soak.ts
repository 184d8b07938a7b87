/**
 * Races go on for a while outside CI: with RT_SOAK=SECONDS each of them has rounds for so long at least.
 *
 *   test("…", async () => {
 *     for (const round of rounds(40)) …
 *   }, soakTimeoutMs(120_000));
 */
const seconds = Number(process.env.RT_SOAK || 0);

export const soaks = seconds > 0;

/** 0, 1, 2 …: `usual` of them, and more until the time is over. */
export function* rounds(usual: number): Generator<number, void> {
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < usual || performance.now() < end; round++) yield round;
}

/** For a test that takes `usual` at most when it does not soak. */
export function soakTimeoutMs(usual: number): number {
  return usual + seconds * 1000;
}
