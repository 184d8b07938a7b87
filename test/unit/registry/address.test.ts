import { expect, test } from "bun:test";
import { isLinkLocal, isLoopback } from "../../../src/registry/address.ts";
import { parseRetryAfter } from "../../../src/registry/retry.ts";

const url = (host: string) => new URL(`https://${host}`);

test("loopback is what is dialled, not what is written", () => {
  for (const host of [
    "localhost",
    "LOCALHOST.",
    "127.0.0.1:5000",
    "127.1",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
  ]) {
    expect([host, isLoopback(url(host))]).toEqual([host, true]);
  }
  for (const host of [
    "127.0.0.1.example",
    "localhost.example",
    "127.example",
    "128.0.0.1",
    "[::2]",
    "10.0.0.1",
  ]) {
    expect([host, isLoopback(url(host))]).toEqual([host, false]);
  }
});

test("link-local and unspecified", () => {
  for (const host of [
    "169.254.169.254",
    "0xa9fea9fe",
    "0.0.0.0",
    "0",
    "[::]",
    "[fe80::1]",
    "[febf::1]",
    "[::ffff:169.254.0.1]",
  ]) {
    expect([host, isLinkLocal(url(host))]).toEqual([host, true]);
  }
  for (const host of ["169.254.example", "169.253.0.1", "[fec0::1]", "fe80.example", "fea.example"]) {
    expect([host, isLinkLocal(url(host))]).toEqual([host, false]);
  }
});

test("Retry-After", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(parseRetryAfter(null, now)).toBeUndefined();
  expect(parseRetryAfter("soon", now)).toBeUndefined();
  expect(parseRetryAfter("0", now)).toBe(0);
  expect(parseRetryAfter(" 5 ", now)).toBe(5000);
  expect(parseRetryAfter("Thu, 01 Jan 2026 00:00:09 GMT", now)).toBe(9000);
  expect(parseRetryAfter("Thu, 01 Jan 2020 00:00:09 GMT", now)).toBe(0);
});
