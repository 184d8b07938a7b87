import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { privateDirectory } from "../../../src/store/directory.ts";
import { scratch } from "./samples.ts";

test("a directory is its owner's, its parents are everybody's", () => {
  using base = scratch();
  const path = join(base.path, "parent", "own");
  privateDirectory(path);
  privateDirectory(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(base.path, "parent")).mode & 0o777).toBe(0o755);
});

test("where nothing can be made there is one line, and an end", () => {
  // procfs says ENOENT to a new name, beneath a parent that is there.
  expect(() => privateDirectory("/proc/rt-test")).toThrow("cannot create directory /proc/rt-test: ENOENT");
  expect(() => privateDirectory("/dev/null/x")).toThrow("cannot create directory /dev/null/x: ENOTDIR");
});
