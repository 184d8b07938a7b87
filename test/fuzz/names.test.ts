/**
 * Messages of name servers and of those who ask them, made up, at the monitor's own code with every safety check: to what reads them,
 * and to the service over its sockets. RT_FUZZ_PACKETS makes it longer (a million is all), RT_FUZZ_SEED repeats a run.
 */
import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../support/command.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";

const project = resolve(import.meta.dir, "../..");
const output = join(project, ".build/fuzz");
const packets = Number(process.env.RT_FUZZ_PACKETS || 100_000);
const seed = Number(process.env.RT_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

const rooted = needs({ root: true });

beforeAll(async () => {
  const cache = join(project, ".build/zig-cache");
  const zig = join(project, "node_modules/.bin/zig");
  const places = ["--prefix", output, "--cache-dir", cache, "--global-cache-dir", cache];
  await run([zig, "build", "fuzz", ...places], { cwd: join(project, "zig-native") });
}, 600_000);

async function fuzz(...words: string[]): Promise<void> {
  const child = Bun.spawn([join(output, "rt-fuzz-names"), ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect([await child.exited, stderr]).toEqual([0, ""]);
  expect(stdout).toBe(`${packets} packets\n`);
}

test(`whatever a message says, it is read (seed ${seed})`, async () => {
  await fuzz("messages", `${seed}`, `${packets}`);
}, 600_000);

rooted.test(
  `whatever is asked, and whatever stands in its files, the service goes on (seed ${seed})`,
  async () => {
    const directory = mkdtempSync(join(scratchDirectory(), "rt-fuzz-"));
    try {
      await fuzz("service", `${seed}`, `${packets}`, directory);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  600_000,
);
