import { invalid, quote, rejectNul } from "../base/invalid.ts";
import { defaulted, type Infer, integer, listOf, object, text } from "../base/shape.ts";
import type { Healthcheck } from "../oci/image-config.ts";

/** How often, and how, it is found out whether a container's program is well. Nanoseconds; 0: nobody has said. */
export const healthcheck = object({
  /** ["NONE"], ["CMD", word, …] or ["CMD-SHELL", line]; as asked, none is the image's. */
  test: defaulted(listOf(text), []),
  /** From the end of a check to the begin of the next. */
  interval: defaulted(integer, 0),
  timeout: defaulted(integer, 0),
  /** For so long after the start of the program a failure does not count, unless a check has succeeded. */
  startPeriod: defaulted(integer, 0),
  /** The interval meanwhile. */
  startInterval: defaulted(integer, 0),
  /** So many failures one after the other say that it is not well. */
  retries: defaulted(integer, 0),
});
export type HealthSettings = Infer<typeof healthcheck>;

export const healthActions = ["none", "kill", "restart", "stop"] as const;
export type HealthAction = (typeof healthActions)[number];

const second = 1e9;
const defaults = { interval: 30 * second, timeout: 30 * second, startInterval: 5 * second, retries: 3 };

/** Nothing shorter is a duration; Docker's own limit. */
const duration_min = 1e6;
/** A retry count of Docker's is a machine word; more than this is never reached. */
const retries_max = 2 ** 31 - 1;

/**
 * Of each field what is asked for, else what the image says. Undefined: neither has one.
 * @throws RtError invalid-argument, in Docker's words
 */
export function combineHealthcheck(
  image: Healthcheck | undefined,
  asked: HealthSettings | undefined,
): HealthSettings | undefined {
  if (!image && !asked) return undefined;
  const asWanted = asked ?? healthcheck({}, "");
  const test = asWanted.test.length > 0 ? asWanted.test : (image?.Test ?? []);
  return checkHealthcheck({
    test: test.map((word) => rejectNul("Healthcheck", word)),
    interval: asWanted.interval || (image?.Interval ?? 0),
    timeout: asWanted.timeout || (image?.Timeout ?? 0),
    startPeriod: asWanted.startPeriod || (image?.StartPeriod ?? 0),
    startInterval: asWanted.startInterval || (image?.StartInterval ?? 0),
    retries: asWanted.retries || (image?.Retries ?? 0),
  });
}

/** @returns it @throws RtError invalid-argument */
export function checkHealthcheck(wanted: HealthSettings): HealthSettings {
  const { interval, timeout, startPeriod, startInterval, retries } = wanted;
  const lengths = {
    Interval: interval,
    Timeout: timeout,
    StartPeriod: startPeriod,
    StartInterval: startInterval,
  };
  for (const [name, length] of Object.entries(lengths)) {
    if (length !== 0 && length < duration_min)
      throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
  }
  if (retries < 0) throw invalid("Retries in Healthcheck cannot be negative");
  if (retries > retries_max) throw invalid(`Retries in Healthcheck cannot be more than ${retries_max}`);
  return wanted;
}

/** A check that is to be made: its words, all decided. Milliseconds. */
export interface HealthPlan {
  words: string[];
  interval_ms: number;
  timeout_ms: number;
  startPeriod_ms: number;
  startInterval_ms: number;
  retries: number;
}

/** @param shell of the image @returns undefined where nothing is checked: nobody says how, or says that it is not to be */
export function healthPlan(
  wanted: HealthSettings | undefined,
  shell: readonly string[],
): HealthPlan | undefined {
  const [kind, ...words] = wanted?.test ?? [];
  if (!wanted || (kind !== "CMD" && kind !== "CMD-SHELL")) return undefined;
  const front = kind === "CMD" ? [] : shell.length > 0 ? shell : ["/bin/sh", "-c"];
  return {
    words: [...front, ...words],
    interval_ms: milliseconds(wanted.interval || defaults.interval),
    timeout_ms: milliseconds(wanted.timeout || defaults.timeout),
    startPeriod_ms: milliseconds(wanted.startPeriod),
    startInterval_ms: milliseconds(wanted.startInterval || defaults.startInterval),
    retries: wanted.retries || defaults.retries,
  };
}

function milliseconds(nanoseconds: number): number {
  return Math.ceil(nanoseconds / 1e6);
}

/**
 * What is done about one that is not well; one that goes with its end is not started again.
 * @throws RtError invalid-argument
 */
export function parseHealthAction(
  text: string,
  autoRemove: boolean,
  what = "--health-on-failure",
): HealthAction {
  const action = healthActions.find((each) => each === text);
  if (action === undefined) throw invalid(`invalid ${what} ${quote(text)}: want ${healthActions.join(", ")}`);
  if (action === "restart" && autoRemove)
    throw invalid("conflicting options: cannot specify both --health-on-failure=restart and --rm");
  return action;
}
