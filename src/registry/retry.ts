import { RtError } from "../base/errors.ts";
import type { Limits } from "./limits.ts";

/** A failure that the same request may not meet again: a reset, a 503, a stall. */
export class TransientError extends RtError {
  /** What the registry's Retry-After asks for. */
  readonly retryAfterMs: number | undefined;
  /** What was answered; undefined where nothing was. */
  readonly status: number | undefined;

  constructor(
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined; status?: number } = {},
  ) {
    super("unavailable", message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** Also after all tries, when their number has been put behind it. */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof TransientError || (error instanceof RtError && error.cause instanceof TransientError)
  );
}

/** Did no answer come at all? What was answered is about the one thing that was asked for, perhaps. */
export function isOutOfReach(error: unknown): boolean {
  if (error instanceof TransientError) return error.status === undefined;
  return error instanceof RtError && isOutOfReach(error.cause);
}

/** `attempt` until it answers, fails for good, or has failed `attemptsMax` times. */
export async function retrying<T>(
  limits: Limits,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      await pauseOrThrow(error, failures, limits, signal);
    }
  }
}

/** Waits before the next try, or throws `error` because there is none. `failures` counts from 1. */
export async function pauseOrThrow(
  error: TransientError,
  failures: number,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (failures >= limits.attemptsMax) {
    throw failures === 1
      ? error
      : new RtError(error.code, `${error.message} (${failures} times)`, { cause: error });
  }
  const asked = error.retryAfterMs;
  if (asked !== undefined && asked > limits.retryAfterMsMax) {
    throw new RtError(
      "unavailable",
      `${error.message}; it asks to try again in ${Math.ceil(asked / 1000)} s`,
      {
        cause: error,
      },
    );
  }
  const backoff = Math.min(limits.backoffMs * 2 ** (failures - 1), limits.backoffMsMax);
  // Half of it is chance, so that many clients do not come back in step.
  await limits.sleep(asked ?? backoff * (0.5 + Math.random() / 2), signal);
}

/** RFC 9110 10.2.3: seconds, or an HTTP date. Undefined when absent or senseless. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^[0-9]{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
