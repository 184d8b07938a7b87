/**
 * Frames of clients and packets of a stage, made up, at the monitor's own code with every safety check. RT_FUZZ_SECONDS
 * makes it longer, RT_FUZZ_SEED repeats a run.
 */
import { beforeAll, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { run } from "../support/command.ts";

const project = resolve(import.meta.dir, "../..");
const output = join(project, ".build/fuzz");
const seconds = Number(process.env.RT_FUZZ_SECONDS || 10);
const seed = Number(process.env.RT_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

beforeAll(async () => {
  const cache = join(project, ".build/zig-cache");
  const zig = join(project, "node_modules/.bin/zig");
  const places = ["--prefix", output, "--cache-dir", cache, "--global-cache-dir", cache];
  await run([zig, "build", "fuzz", ...places], { cwd: join(project, "zig-native") });
}, 600_000);

for (const target of ["relay", "sync"]) {
  test.concurrent(
    `${target}: no frame does harm (seed ${seed})`,
    async () => {
      const child = Bun.spawn([join(output, "rt-fuzz-frames"), target, `${seed}`, `${seconds}`], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      expect([await child.exited, stderr]).toEqual([0, ""]);
      expect(Number(/^(\d+) cases\n$/.exec(stdout)?.[1])).toBeGreaterThan(100 * seconds);
    },
    (seconds + 60) * 1000,
  );
}

test("a check that fails is one line, and an end with 125", async () => {
  const child = Bun.spawn([join(output, "rt-fuzz-frames"), "fault"], { stderr: "pipe" });
  const stderr = await child.stderr.text();
  expect(stderr).toMatch(
    /^rt-fuzz-frames: internal fault: index out of bounds: index 200, len 8 \(at 0x[0-9a-f]+\)\n$/,
  );
  expect(await child.exited).toBe(125);
});
