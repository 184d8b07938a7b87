/**
 * The rules of zig-native (README, "Architecture"), held by reading its files. A violation is printed as "file: what is wrong".
 *
 *   start                                   the stub that the kernel starts: it becomes boot's program, or hands over to Bun
 *   boot  monitor  lib  layer  holder  probe   programs; they share nothing but what is below
 *   stage                                   what the monitor's child runs until it is the user's program
 *   wire                                    what programs say to each other, and how they fail
 *   linux                                   the kernel's facilities, one a file: they answer an errno, and know no one
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { declarations } from "../src/native/abi.ts";

const project = resolve(import.meta.dir, "..");
const native = join(project, "zig-native");

/** What each floor may import from besides itself. A program is a file and a folder of its name. */
const below: Readonly<Record<string, readonly string[]>> = {
  linux: [],
  wire: ["linux"],
  stage: ["wire", "linux"],
  monitor: ["stage", "wire", "linux"],
  lib: ["wire", "linux"],
  layer: ["wire", "linux"],
  boot: ["wire", "linux"],
  start: ["boot", "linux"],
  holder: ["linux"],
  probe: [],
};

/** What is built for itself and no part of a program: it may look at everything. */
const beside = /^(build|abi_gen|fuzz_\w+|start_tests)\.zig$/;

/** zig fmt leaves the length of a line to us. The fuzzing targets have tables of odd things, one a row. */
const columns = 140;
const tables = /^layer\/fuzz\//;

const files = [...new Bun.Glob("**/*.zig").scanSync(native)].sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(native, file), "utf8")]));

/** "monitor" of monitor.zig and of monitor/relay.zig. */
function floorOf(file: string): string {
  return file.split("/")[0]!.replace(/\.zig$/, "");
}

function importsOf(file: string): string[] {
  const code = texts.get(file)!.replace(/^\s*\/\/.*$/gm, "");
  return [...code.matchAll(/@import\("([^"]+\.zig)"\)/g)].map(([, path]) =>
    normalize(join(dirname(file), path!)),
  );
}

function wrong(allowed: Readonly<Record<string, readonly string[]>>): string[] {
  return files
    .filter((file) => !beside.test(file))
    .flatMap((file) =>
      importsOf(file)
        .filter((to) => floorOf(to) !== floorOf(file) && !allowed[floorOf(file)]?.includes(floorOf(to)))
        .map((to) => `zig-native/${file} -> ${to}: imports go only downward`),
    );
}

test("every folder of zig-native has its floor, and a program is a file beside its folder", () => {
  const floors = new Set(files.filter((file) => !beside.test(file)).map(floorOf));
  expect([...floors].sort()).toEqual(Object.keys(below).sort());
  const roots = files.filter((file) => !file.includes("/") && !beside.test(file)).map(floorOf);
  expect(roots).toEqual(["boot", "holder", "layer", "lib", "monitor", "probe", "start"]);
});

test("imports of zig-native go only downward", () => {
  expect(wrong(below)).toEqual([]);
  // One that goes upward is found.
  expect(wrong({ ...below, wire: [] })).toContainEqual(
    expect.stringMatching(/^zig-native\/wire\/.*-> linux\//),
  );
});

test("linux answers errno, and has no message for people", () => {
  const speaking = files.filter(
    (file) => floorOf(file) === "linux" && /\bfault\b|@tagName\(errno/.test(texts.get(file)!),
  );
  expect(speaking).toEqual([]);
});

test("zig-native is formatted", () => {
  const zig = join(project, "node_modules/.bin/zig");
  const { stdout, stderr } = Bun.spawnSync([zig, "fmt", "--check", "."], { cwd: native });
  expect(`${stdout}${stderr}`).toBe("");
});

test(`no line of zig-native is longer than ${columns} characters`, () => {
  const long = files
    .filter((file) => !tables.test(file))
    .flatMap((file) =>
      texts
        .get(file)!
        .split("\n")
        .flatMap((line, index) =>
          [...line].length <= columns ? [] : [`zig-native/${file}:${index + 1}: ${[...line].length}`],
        ),
    );
  expect(long).toEqual([]);
});

test("what librt exports is declared as it is, and used", () => {
  const exported = [...texts.get("lib.zig")!.matchAll(/^pub export fn (rt_\w+)/gm)].map(([, name]) => name!);
  expect(exported.length).toBeGreaterThan(0);
  expect(Object.keys(declarations).sort()).toEqual(exported.sort());
  const callers = [...new Bun.Glob("src/**/*.ts").scanSync(project)]
    .filter((file) => file !== "src/native/abi.ts")
    .map((file) => readFileSync(join(project, file), "utf8"));
  expect(exported.filter((name) => !callers.some((code) => code.includes(`.${name}(`)))).toEqual([]);
});
