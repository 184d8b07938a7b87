import { expect, test } from "bun:test";
import { logLimits, parseLogDriver, parseLogOptions } from "../../../src/settings/log.ts";

test("what is kept where nobody says how much, and where somebody does", () => {
  expect(logLimits("json-file", {})).toEqual({ bytes: 10 << 20, files: 3 });
  expect(logLimits("json-file", parseLogOptions("json-file", ["max-size=1k", "max-file=1"]))).toEqual({
    bytes: 1024,
    files: 1,
  });
  expect(logLimits("json-file", parseLogOptions("json-file", ["max-size=-1", "compress=false"]))).toEqual({
    bytes: 0,
    files: 3,
  });
  expect(logLimits("none", {})).toBeUndefined();
});

test.each([
  ["journald", "unsupported", "journald is not there yet"],
  ["jsonfile", "invalid-argument", "want json-file or none"],
  ["toString", "invalid-argument", "want json-file or none"],
] as const)("--log-driver %s", (driver, code, why) => {
  expect(() => parseLogDriver(driver)).toThrow(expect.objectContaining({ code }));
  expect(() => parseLogDriver(driver)).toThrow(why);
});

test.each([
  ["max-size=0", "invalid-argument"],
  ["max-size=10x", "invalid-argument"],
  ["max-size=99999999999t", "invalid-argument"],
  ["max-file=0", "invalid-argument"],
  ["max-file=1001", "invalid-argument"],
  ["max-file", "invalid-argument"],
  ["=1", "invalid-argument"],
  ["__proto__=1", "invalid-argument"],
  ["compress=true", "unsupported"],
  ["tag=x", "unsupported"],
] as const)("--log-opt %s", (option, code) => {
  expect(() => parseLogOptions("json-file", [option])).toThrow(expect.objectContaining({ code }));
});

test("none has no options", () => {
  expect(() => parseLogOptions("none", ["max-size=1m"])).toThrow("has no options");
});
