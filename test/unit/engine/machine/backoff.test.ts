import { expect, test } from "bun:test";
import { Backoff, restarts } from "../../../../src/engine/machine/backoff.ts";

test("the pause doubles from 100 ms to a minute, and begins anew after ten seconds of running", () => {
  const backoff = new Backoff();
  const pauses = Array.from({ length: 12 }, () => backoff.pause(0));
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  expect(backoff.pause(9_999)).toBe(60_000);
  expect(backoff.pause(10_000)).toBe(100);
  expect(backoff.pause(0)).toBe(200);
});

test("policies", () => {
  expect([0, 1].map((status) => restarts("no", status))).toEqual([false, false]);
  expect([0, 1].map((status) => restarts("on-failure", status))).toEqual([false, true]);
  expect([0, 1].map((status) => restarts("always", status))).toEqual([true, true]);
});
