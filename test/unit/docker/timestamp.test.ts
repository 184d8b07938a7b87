import { expect, test } from "bun:test";
import { parseMoment, parseTimestamp } from "../../../src/docker/timestamp.ts";

const now = Date.UTC(2024, 4, 1, 12);
const moment = (text: string) => parseMoment("since", text, now);
const utc = (text: string) => BigInt(Date.parse(text)) * 1_000_000n;

test("how long ago", () => {
  for (const [text, seconds] of [
    ["10m", 600],
    ["1h30m", 5400],
    ["1.5h", 5400],
    ["-2s", -2],
    ["100ms", 0.1],
    ["0s", 0],
  ] as const)
    expect(moment(text)).toBe(BigInt(now - seconds * 1000) * 1_000_000n);
});

test("RFC 3339, and the beginning of it in local time", () => {
  expect(moment("2024-05-01T10:00:00.123456789Z")).toBe(utc("2024-05-01T10:00:00Z") + 123_456_789n);
  expect(moment("2024-05-01T10:00:00+02:00")).toBe(utc("2024-05-01T08:00:00Z"));
  expect(moment("2024-05-01Z")).toBe(utc("2024-05-01T00:00:00Z"));
  const local = BigInt(new Date(2024, 4, 1, 10, 30).getTime()) * 1_000_000n;
  expect(moment("2024-05-01T10:30")).toBe(local);
  expect(moment("2024-05-01")).toBe(BigInt(new Date(2024, 4, 1).getTime()) * 1_000_000n);
});

test("Unix seconds", () => {
  expect(moment("1714557600")).toBe(1_714_557_600n * 1_000_000_000n);
  expect(moment("1714557600.5")).toBe(1_714_557_600_500_000_000n);
  expect(moment("0")).toBe(0n);
});

test("what is no time is named", () => {
  for (const text of ["", "yesterday", "1x", "2024-13-01", "2024-04-31", "2024-05-01T25", "h", "."]) {
    expect(() => moment(text)).toThrow(
      'invalid value for "since": failed to parse value as time or duration',
    );
  }
  expect(parseTimestamp("10")).toBeUndefined();
});
