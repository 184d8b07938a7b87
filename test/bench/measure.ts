/** Rounds in which every contender has its turn, in an order drawn anew each time; and what is told of their times. */
import type { Shell, Timed } from "./shell.ts";

/** One engine's way to do what is measured. */
export interface Contender {
  engine: string;
  /** One command line of `shell`. */
  command: string;
  shell: Shell;
  /** What is wrong with a run that ended with 0. A failing engine is fast, so every single run is checked. */
  check: (timed: Timed) => string | undefined | Promise<string | undefined>;
  /** Not timed. */
  before?: () => Promise<void>;
  after?: () => Promise<void>;
}

export interface Sample {
  engine: string;
  /** Milliseconds (KiB in the memory row), in the order of the rounds. */
  values: number[];
  /** The first runs that did not do what they should have: no time of such an engine counts. */
  failures: string[];
}

/** What the report shows of one thing measured. */
export interface Row {
  name: string;
  title: string;
  unit: "ms" | "KiB";
  samples: Sample[];
  /** rt's median must be at most this share of that engine's. */
  targets: Record<string, number>;
  /** rt's own median must be at most this. */
  limit?: number;
  notes: string[];
}

export interface Rounds {
  rounds: number;
  /** Rounds before them that are checked, but not counted. */
  warmUp: number;
}

/** What an engine still does after it has answered (docker's `--rm`, a monitor's tear-down) is not the next one's cost. */
export const settleMs = 40;

export async function interleave(contenders: Contender[], options: Rounds): Promise<Sample[]> {
  const samples = new Map<string, Sample>();
  for (const { engine } of contenders) samples.set(engine, { engine, values: [], failures: [] });
  for (let round = -options.warmUp; round < options.rounds; round++) {
    for (const contender of shuffled(contenders)) {
      const sample = samples.get(contender.engine)!;
      if (sample.failures.length >= 3) continue;
      try {
        const timed = await turn(contender);
        if (round >= 0) sample.values.push(timed.micros / 1000);
      } catch (error) {
        sample.failures.push(`${contender.command}: ${(error as Error).message}`);
      }
      await Bun.sleep(settleMs);
    }
  }
  return [...samples.values()];
}

async function turn(contender: Contender): Promise<Timed> {
  try {
    await contender.before?.();
    const timed = await contender.shell.time(contender.command);
    const said = (timed.stderr || timed.stdout).trim().slice(-300);
    if (timed.status !== 0) throw new Error(`ended with ${timed.status}: ${said}`);
    const wrong = await contender.check(timed);
    if (wrong) throw new Error(wrong);
    return timed;
  } finally {
    await contender.after?.();
  }
}

/** A check: this on standard output, and nothing else. */
export function prints(expected: string): (timed: Timed) => string | undefined {
  return ({ stdout }) =>
    stdout === expected ? undefined : `printed ${JSON.stringify(stdout.slice(0, 300))}`;
}

export function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

/** Linear between the two nearest; of one value, that value. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}
