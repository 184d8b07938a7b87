import { describe, expect, test } from "bun:test";
import { combineCommand, combineEnv, mergeEnv, workingDirectory } from "../../../src/settings/combine.ts";

describe("command", () => {
  const image = { Entrypoint: ["/entry", "-x"], Cmd: ["default"] };
  test.each([
    { entrypoint: undefined, command: [], args: ["/entry", "-x", "default"], length: 2 },
    { entrypoint: undefined, command: ["mine"], args: ["/entry", "-x", "mine"], length: 2 },
    { entrypoint: ["/other"], command: [], args: ["/other"], length: 1 },
    { entrypoint: ["/other"], command: ["a"], args: ["/other", "a"], length: 1 },
    { entrypoint: [], command: ["a"], args: ["a"], length: 0 },
  ])("--entrypoint $entrypoint with $command", ({ entrypoint, command, args, length }) => {
    expect(combineCommand(image, entrypoint, command)).toEqual({ args: [...args], entrypointLength: length });
  });

  test("nothing to run is an error", () => {
    expect(() => combineCommand({}, undefined, [])).toThrow("no command specified");
    expect(() => combineCommand(image, [], [])).toThrow("no command specified");
  });
});

describe("environment", () => {
  test("defaults, then the image's, then the user's; the last wins in the first one's place", () => {
    const env = combineEnv({ Env: ["A=1", "B=2", "PATH=/image"] }, ["B=3", "C=4"], "box", false);
    expect(env).toEqual(["PATH=/image", "HOSTNAME=box", "A=1", "B=3", "C=4"]);
  });

  test("TERM only with a terminal", () => {
    expect(combineEnv({}, [], "box", true)).toContain("TERM=xterm");
    expect(combineEnv({}, [], "box", false).join()).not.toContain("TERM");
  });

  test("an image's bare name is not filled from the caller's environment (CVE-2026-57231)", () => {
    process.env.RT_TEST_SECRET = "leaked";
    try {
      expect(combineEnv({ Env: ["RT_TEST_SECRET"] }, [], "box", false).join()).not.toContain(
        "RT_TEST_SECRET",
      );
    } finally {
      delete process.env.RT_TEST_SECRET;
    }
  });

  test("a user's bare name removes the image's", () => {
    expect(mergeEnv(["A=1", "B=2"], ["A"])).toEqual(["B=2"]);
  });

  test("a value may hold = and newlines; a NUL of the image's drops the entry", () => {
    expect(combineEnv({ Env: ["A=x=y\nz", "B=\0"] }, [], "box", false).slice(2)).toEqual(["A=x=y\nz"]);
  });
});

test.each([
  ["", undefined, "/"],
  ["", "", "/"],
  ["", "srv", "/srv"],
  ["", "/../../etc", "/etc"],
  ["/a/./b/", "/image", "/a/b"],
  ["/proc/self/fd/7/..", undefined, "/proc/self/fd"],
])("working directory %p over %p is %p", (asked, image, expected) => {
  expect(workingDirectory(asked, image)).toBe(expected);
});
