import { expect, test } from "bun:test";
import { initArgv } from "../../../../src/cli/system/init-argv.ts";

test("what a kernel hands on is no command", () => {
  expect(initArgv(["quiet", "splash", "-x", "--typo"], "")).toEqual(["init"]);
  expect(initArgv(["--version"], "quiet init=/usr/bin/rt ro\n")).toEqual(["init"]);
  expect(initArgv(["init", "--config", "/c"], "quiet\n")).toEqual(["init", "--config", "/c"]);
});

test("our flags among a kernel's words", () => {
  const words = ["splash", "--config", "/a.toml", "x", "--root=/data", "--storage-driver=copy", "--config"];
  expect(initArgv(words, "")).toEqual([
    ...["init", "--config", "/a.toml", "--root=/data", "--storage-driver=copy"],
  ]);
});

test("rt.config= of the kernel's command line; --config comes after it, and the last one counts", () => {
  const from = (line: string, words: string[] = []) => initArgv(words, line);
  expect(from("rt.config=/c.toml quiet\n")).toEqual(["init", "--config", "/c.toml"]);
  expect(from("a rt.config=/1 b rt.config=/2\n")).toEqual(["init", "--config", "/2"]);
  expect(from("xrt.config=/c.toml\n")).toEqual(["init"]);
  expect(from("rt.config=/c\n", ["--config=/d"])).toEqual(["init", "--config", "/c", "--config=/d"]);
});

test("between quotes of the kernel's command line a space is part of the word", () => {
  const config = (line: string) => initArgv([], line)[2];
  expect(config('quiet rt.config="/a b.toml" ro\n')).toBe("/a b.toml");
  expect(config('quiet "rt.config=/a b.toml" ro\n')).toBe("/a b.toml");
  expect(config('x="y rt.config=/no" ro\n')).toBe(undefined);
});
