import { expect, test } from "bun:test";
import { type IdSpan, joinedSpans, sizeOfSpans, spansWithout, takeFrom } from "../../../src/base/id-span.ts";

const span = (first: number, size: number): IdSpan => ({ first, size });

test("what overlaps or touches is one, whatever the order", () => {
  expect(joinedSpans([span(20, 5), span(0, 10), span(5, 10), span(15, 5), span(30, 0)])).toEqual([
    span(0, 25),
  ]);
});

test("what others have is left out", () => {
  const all = [span(100, 100)];
  expect(spansWithout(all, [])).toEqual(all);
  expect(spansWithout(all, [span(0, 1000)])).toEqual([]);
  expect(spansWithout(all, [span(90, 20), span(150, 1), span(199, 5)])).toEqual([
    span(110, 40),
    span(151, 48),
  ]);
  expect(spansWithout([span(0, 10), span(20, 10)], [span(5, 20)])).toEqual([span(0, 5), span(25, 5)]);
});

test("a whole range first, else of as many as it takes, else none", () => {
  const free = [span(0, 10), span(20, 30), span(100, 5)];
  expect(takeFrom(free, 20)).toEqual([span(20, 20)]);
  expect(takeFrom(free, 42)).toEqual([span(0, 10), span(20, 30), span(100, 2)]);
  expect(takeFrom(free, 46)).toBeUndefined();
});

test("a thousand at random: never a number twice, never one of somebody else's", () => {
  const used: IdSpan[] = [];
  for (let round = 0; round < 1000; round++) {
    const free = spansWithout([span(1, 5000)], used);
    const taken = takeFrom(free, 1 + (round % 17));
    if (!taken) break;
    const before = sizeOfSpans(joinedSpans(used));
    used.push(...taken);
    expect(sizeOfSpans(joinedSpans(used))).toBe(before + 1 + (round % 17));
    if (round % 3 === 0) used.splice(round % used.length, 1);
  }
});
