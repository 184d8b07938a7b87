import { expect, test } from "bun:test";
import { checkTimeOffsets, parseTimeOffsets, specTimeOffsets } from "../../../src/settings/time-offset.ts";

test("seconds with a part become the kernel's two numbers, of which the second is none below zero", () => {
  const spec = (seconds: string) => specTimeOffsets({ monotonic: seconds })?.monotonic;
  expect(spec("3600")).toEqual({ secs: 3600, nanosecs: 0 });
  expect(spec("+1.5")).toEqual({ secs: 1, nanosecs: 500_000_000 });
  expect(spec("-1.5")).toEqual({ secs: -2, nanosecs: 500_000_000 });
  expect(spec("-0.000000001")).toEqual({ secs: -1, nanosecs: 999_999_999 });
  expect(spec("-3600")).toEqual({ secs: -3600, nanosecs: 0 });
  expect(spec("-0")).toEqual({ secs: 0, nanosecs: 0 });
  expect(specTimeOffsets({})).toBeUndefined();
});

test("the last of one clock counts", () => {
  expect(parseTimeOffsets(["monotonic=1", "boottime=2", "monotonic=-3"])).toEqual({
    monotonic: "-3",
    boottime: "2",
  });
  expect(parseTimeOffsets([])).toEqual({});
});

test("what is refused", () => {
  for (const text of [
    "monotonic",
    "realtime=1",
    "=1",
    "monotonic=",
    "monotonic=1h",
    "monotonic=1e3",
    "boottime=--1",
  ])
    expect(() => parseTimeOffsets([text]), text).toThrow(/^invalid --time-offset /);
  expect(() => checkTimeOffsets({ tai: "1" }, "HostConfig.TimeOffsets")).toThrow(
    'invalid HostConfig.TimeOffsets "tai=1": the clocks are monotonic and boottime; the time of day is the host\'s',
  );
});
