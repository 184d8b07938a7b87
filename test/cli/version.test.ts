import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("called docker its version is one of Docker's, in either spelling", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rt-version-"));
  try {
    const docker = join(directory, "docker");
    symlinkSync(rtBinary, docker);
    for (const flag of ["--version", "-v"])
      expect(await run([docker, flag])).toMatch(/^Docker version \d+\.\d+\.\d+, build rt-/);
    expect(await run([rtBinary, "--version"])).toMatch(/^rt version /);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
