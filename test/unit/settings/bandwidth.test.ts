import { expect, test } from "bun:test";
import { bucketOf } from "../../../src/network/bandwidth.ts";
import { checkBandwidthMode, parseBandwidth } from "../../../src/settings/bandwidth.ts";

test.each([
  ["", 0],
  ["0", 0],
  ["8kbit", 8000],
  ["10mbit", 10_000_000],
  ["1.5Mbit", 1_500_000],
  ["1gbit", 1e9],
  ["1tbit", 1e12],
  ["1mibit", 1_048_576],
  ["1mbps", 8_000_000],
  ["100kibps", 819_200],
] as const)("%s is %d bits per second", (text, bits) => {
  expect(parseBandwidth(text, "--bandwidth-up")).toBe(bits);
});

test.each([
  "1m",
  "10",
  "mbit",
  "-1mbit",
  "1 mbit",
  "1e3mbit",
  "10mbit ",
  "0x10kbit",
  "1constructor",
  "٣mbit",
])("%p is no rate", (text) => {
  expect(() => parseBandwidth(text, "--bandwidth-up")).toThrow("want bits per second, as 500kbit, 10mbit");
});

test.each(["1bit", "7kbit", "2tbit", "999999999999999tbit"])("%p is more or less than can be", (text) => {
  expect(() => parseBandwidth(text, "--bandwidth-up")).toThrow("want 8kbit to 1tbit, or 0 for no limit");
});

test("without a network of its own there is nothing to limit", () => {
  for (const mode of ["none", "host", "container:x", "ns:/x"])
    expect(() => checkBandwidthMode(mode, { bandwidthUp: 8000, bandwidthDown: 0 })).toThrow(
      "conflicting options",
    );
  checkBandwidthMode("none", { bandwidthUp: 0, bandwidthDown: 0 });
  checkBandwidthMode("shop", { bandwidthUp: 8000, bandwidthDown: 0 });
});

test("a bucket holds what a tick is worth, and any packet", () => {
  expect(bucketOf(8_000_000, 1500)).toEqual({ rate: 1_000_000, burst: 16_384, limit: 66_384 });
  expect(bucketOf(8_000, 65_535)).toEqual({ rate: 1000, burst: 65_599, limit: 98_367 });
  expect(bucketOf(1e12, 1500)).toEqual({ rate: 1.25e11, burst: 1.25e9, limit: 0xffff_ffff });
});
