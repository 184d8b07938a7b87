import { type Infer, integer, listOf, object, oneOf, ShapeError, text } from "../base/shape.ts";
import type { Healthcheck } from "../oci/image-config.ts";
import { checkHealthcheck, type HealthSettings } from "../settings/health.ts";
import { given, nullable } from "./zero.ts";

/** `State.Health`: what the checks of a container have found, the last five of them, oldest first. */
const health = object({
  Status: oneOf("starting", "healthy", "unhealthy"),
  FailingStreak: integer,
  Log: listOf(object({ Start: text, End: text, ExitCode: integer, Output: text })),
});
export type Health = Infer<typeof health>;

/** @returns undefined for what no monitor has written */
export function parseHealth(json: string): Health | undefined {
  try {
    const { Status, FailingStreak, Log } = health(JSON.parse(json), "health");
    return {
      Status,
      FailingStreak,
      Log: Log.map(({ Start, End, ExitCode, Output }) => ({ Start, End, ExitCode, Output })),
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ShapeError) return undefined;
    throw error;
  }
}

/** What nobody said is not in it. */
export function healthcheckDocument(healthcheck: HealthSettings): Healthcheck {
  const { test, interval, timeout, startPeriod, startInterval, retries } = healthcheck;
  return {
    ...(test.length > 0 && { Test: test }),
    ...(interval !== 0 && { Interval: interval }),
    ...(timeout !== 0 && { Timeout: timeout }),
    ...(startPeriod !== 0 && { StartPeriod: startPeriod }),
    ...(startInterval !== 0 && { StartInterval: startInterval }),
    ...(retries !== 0 && { Retries: retries }),
  };
}

/** `Healthcheck` as a client sends it. */
export const healthcheckField = nullable(
  object({
    Test: given(listOf(text), []),
    Interval: given(integer, 0),
    Timeout: given(integer, 0),
    StartPeriod: given(integer, 0),
    StartInterval: given(integer, 0),
    Retries: given(integer, 0),
  }),
);

/** @throws RtError invalid-argument */
export function healthcheckSettings(document: Infer<typeof healthcheckField>): {
  healthcheck?: HealthSettings;
} {
  if (!document) return {};
  const { Test, Interval, Timeout, StartPeriod, StartInterval, Retries } = document;
  return {
    healthcheck: checkHealthcheck({
      test: Test,
      interval: Interval,
      timeout: Timeout,
      startPeriod: StartPeriod,
      startInterval: StartInterval,
      retries: Retries,
    }),
  };
}
