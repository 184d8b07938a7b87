import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHookFiles } from "../../../src/container/hook-files.ts";

const top = mkdtempSync(join(tmpdir(), "rt-hook-files-"));
afterAll(() => rmSync(top, { recursive: true }));

function directory(name: string, files: Record<string, unknown>): string {
  const path = join(top, name);
  mkdirSync(path);
  for (const [file, value] of Object.entries(files))
    writeFileSync(join(path, file), typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

const hook = (path: string) => ({
  version: "1.0.0",
  hook: { path },
  when: { always: true },
  stages: ["poststop"],
});
const pathsIn = (...directories: string[]) => readHookFiles(directories).map((each) => each.hook.path);

test("by their names in lower case, and the later directory masks the one before", () => {
  const share = directory("share", {
    "01-UPPER.json": hook("/upper"),
    "01-my.json": hook("/masked"),
    "02-b.json": hook("/b"),
    "readme.txt": "no hook",
  });
  const etc = directory("etc", { "01-my.json": hook("/my") });
  expect(pathsIn(share, etc)).toEqual(["/my", "/upper", "/b"]);
  expect(pathsIn(share)).toEqual(["/masked", "/upper", "/b"]);
  expect(pathsIn()).toEqual([]);
});

test("what cannot be read is told with its name", () => {
  const bad = directory("bad", { "x.json": "{" });
  expect(() => readHookFiles([bad])).toThrow(`hook file ${bad}/x.json is not valid JSON`);
  const dangling = directory("dangling", {});
  symlinkSync("/no/such", join(dangling, "x.json"));
  expect(() => readHookFiles([dangling])).toThrow(`hook file ${dangling}/x.json`);
  const nested = directory("nested", {});
  mkdirSync(join(nested, "x.json"));
  expect(() => readHookFiles([nested])).toThrow("is not a regular file");
  expect(() => readHookFiles([join(top, "none")])).toThrow("cannot read the directory of hooks");
});
