import { expect, test } from "bun:test";
import { run } from "../support/command.ts";
import { rtBinary } from "../support/rt.ts";

test("version --licenses names what is inside, says how to exchange it, and has the texts", async () => {
  const text = await run([rtBinary, "version", "--licenses"]);
  expect(text).toMatch(/^GNU C Library \(.*\) stable release version 2\.\d+\.$/m);
  expect(text).toContain("bun build.ts --glibc DIRECTORY");
  for (const title of [
    "GNU LESSER GENERAL PUBLIC LICENSE",
    "Apache License",
    "zstd-napi",
    "Public Suffix List",
    "Copyright (c) 2017 Thomas Parisot",
  ])
    expect(text).toContain(title);
});
