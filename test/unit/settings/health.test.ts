import { expect, test } from "bun:test";
import {
  checkHealthcheck,
  combineHealthcheck,
  type HealthSettings,
  healthcheck,
  healthPlan,
  parseHealthAction,
} from "../../../src/settings/health.ts";

const asked = (fields: Partial<HealthSettings>) => healthcheck({ ...fields }, "");

test("of each field what is asked for, else what the image says", () => {
  expect(combineHealthcheck(undefined, undefined)).toBeUndefined();
  const image = {
    Test: ["CMD", "a"],
    Interval: 1e9,
    Timeout: 2e9,
    StartPeriod: 3e9,
    StartInterval: 4e9,
    Retries: 5,
  };
  const whole = { interval: 1e9, timeout: 2e9, startPeriod: 3e9, startInterval: 4e9, retries: 5 };
  expect(combineHealthcheck(image, undefined)).toEqual({ test: ["CMD", "a"], ...whole });
  expect(combineHealthcheck(image, asked({ interval: 7e9 }))).toEqual({
    test: ["CMD", "a"],
    ...whole,
    interval: 7e9,
  });
  expect(combineHealthcheck(image, asked({ test: ["NONE"] }))!.test).toEqual(["NONE"]);
  expect(combineHealthcheck({}, asked({ test: ["CMD-SHELL", "x"], retries: 2 }))).toEqual(
    asked({ test: ["CMD-SHELL", "x"], retries: 2 }),
  );
  expect(combineHealthcheck(undefined, asked({ interval: 1e9 }))!.test).toEqual([]);
});

test("an image's that cannot be: it says so", () => {
  for (const [image, text] of [
    [{ Interval: 5 }, "Interval in Healthcheck cannot be less than 1ms"],
    [{ Timeout: -1 }, "Timeout in Healthcheck cannot be less than 1ms"],
    [{ StartPeriod: 999_999 }, "StartPeriod in Healthcheck cannot be less than 1ms"],
    [{ StartInterval: 1 }, "StartInterval in Healthcheck cannot be less than 1ms"],
    [{ Retries: -1 }, "Retries in Healthcheck cannot be negative"],
    [{ Retries: 2 ** 31 }, "Retries in Healthcheck cannot be more than"],
    [{ Test: ["CMD", "a\0b"] }, "has a NUL byte"],
  ] as const)
    expect(() =>
      combineHealthcheck({ ...image, Test: "Test" in image ? [...image.Test] : ["CMD"] }, undefined),
    ).toThrow(text);
  expect(checkHealthcheck(asked({ interval: 1e6 })).interval).toBe(1e6);
});

test("what is to be done: the words, and the defaults", () => {
  const defaults = {
    interval_ms: 30_000,
    timeout_ms: 30_000,
    startPeriod_ms: 0,
    startInterval_ms: 5000,
    retries: 3,
  };
  expect(healthPlan(asked({ test: ["CMD", "a", "b c"] }), ["/bin/x", "-c"])).toEqual({
    words: ["a", "b c"],
    ...defaults,
  });
  expect(healthPlan(asked({ test: ["CMD-SHELL", "a b"] }), [])?.words).toEqual(["/bin/sh", "-c", "a b"]);
  expect(healthPlan(asked({ test: ["CMD-SHELL", "a b"] }), ["/bin/x", "-e"])?.words).toEqual([
    "/bin/x",
    "-e",
    "a b",
  ]);
  expect(healthPlan(asked({ test: ["CMD"], interval: 1_500_001 }), [])?.interval_ms).toBe(2);
  for (const nothing of [
    undefined,
    asked({}),
    asked({ test: ["NONE"] }),
    asked({ test: ["none"] }),
    asked({ test: ["ls"] }),
  ])
    expect(healthPlan(nothing, [])).toBeUndefined();
});

test("--health-on-failure", () => {
  for (const action of ["none", "kill", "restart", "stop"] as const)
    expect(parseHealthAction(action, false)).toBe(action);
  for (const text of ["", "Kill", "reboot"])
    expect(() => parseHealthAction(text, false)).toThrow("want none, kill, restart, stop");
  expect(() => parseHealthAction("restart", true)).toThrow("cannot specify both");
  expect(parseHealthAction("stop", true)).toBe("stop");
});
