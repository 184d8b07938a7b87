import { expect, test } from "bun:test";
import { statusText } from "../../../src/docker/container-summary.ts";
import { healthcheckDocument, parseHealth } from "../../../src/docker/health.ts";
import { goDuration } from "../../../src/docker/time.ts";
import { healthcheck } from "../../../src/settings/health.ts";

test("what a monitor has written; of anything else nothing", () => {
  const entry = { Start: "a", End: "b", ExitCode: -1, Output: "\u001b" };
  const health = { Status: "unhealthy", FailingStreak: 2, Log: [entry] };
  expect(parseHealth(JSON.stringify({ ...health, more: 1 }))).toEqual(health as never);
  for (const bad of [
    ...["", "{", "null", "[]", "{}", '{"Status":"healthy"}'],
    JSON.stringify({ ...health, Status: "fine" }),
    JSON.stringify({ ...health, FailingStreak: "2" }),
    JSON.stringify({ ...health, Log: [{ ...entry, Output: 1 }] }),
  ])
    expect(parseHealth(bad)).toBeUndefined();
});

test("what nobody said is in no document", () => {
  expect(healthcheckDocument(healthcheck({ test: ["NONE"] }, ""))).toEqual({ Test: ["NONE"] });
  expect(healthcheckDocument(healthcheck({ interval: 1, retries: 2 }, ""))).toEqual({
    Interval: 1,
    Retries: 2,
  });
});

test("ps has it behind the time that it is up", () => {
  const state = { status: "running", exitCode: 0, startedAt: "2025-01-01T00:00:00Z", finishedAt: "" };
  const now = Date.parse("2025-01-01T00:05:00Z");
  expect(statusText(state, now)).toBe("Up 5 minutes");
  expect(statusText(state, now, "starting")).toBe("Up 5 minutes (health: starting)");
  expect(statusText(state, now, "healthy")).toBe("Up 5 minutes (healthy)");
  expect(statusText({ ...state, status: "paused" }, now, "healthy")).toBe("Up 5 minutes (Paused)");
});

test("durations as Go prints them", () => {
  const cases: [number, string][] = [
    ...([
      [0, "0s"],
      [1, "1ns"],
      [1100, "1.1µs"],
      [2_200_000, "2.2ms"],
      [1e9, "1s"],
      [1.5e9, "1.5s"],
    ] as const),
    ...([
      [60e9, "1m0s"],
      [90_001_000_000, "1m30.001s"],
      [3600e9, "1h0m0s"],
      [5e8, "500ms"],
    ] as const),
    ...([[100 * 3600e9 + 61e9, "100h1m1s"]] as const),
  ].map(([length, text]) => [length, text]);
  for (const [length, text] of cases) expect(goDuration(length)).toBe(text);
});
