/**
 * rt-layer's parsers, and its unpack by both drivers, on archives by chance: zig-native/fuzz_layer.zig says what must hold.
 * Each target runs RT_FUZZ_SECONDS (10), from RT_FUZZ_SEED (1) on; a failure tells its seed.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { requireRoot } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { fuzzProgram } from "./program.ts";

const seconds = Number(process.env.RT_FUZZ_SECONDS || 10);
const seed = Number(process.env.RT_FUZZ_SEED || 1);
const timeoutMs = 600_000 + 2000 * seconds;
const gated = requireRoot();
const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

async function fuzz(target: string, ...options: string[]): Promise<{ said: string; code: number }> {
  const program = await fuzzProgram("rt-fuzz-layer");
  const child = Bun.spawn([program, target, ...options], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [answer, failure] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { said: failure + answer, code: await child.exited };
}

const bounded = [`seed=${seed}`, `seconds=${seconds}`];
/** The tests that everybody runs see the same images on a fast machine as on a slow one. */
const images = [...bounded, ...(process.env.RT_FUZZ_SECONDS ? [] : ["rounds=1500"])];

for (const target of ["tar", "pax"]) {
  test(
    `the parser of ${target}`,
    async () => {
      const { said, code } = await fuzz(target, ...bounded);
      expect([said, code]).toEqual([expect.stringMatching(/^{"ok":true,"rounds":\d{4,}}\n$/), 0]);
    },
    timeoutMs,
  );
}

for (const [target, ...options] of [["apply", ...images], ["whiteouts", ...images], ["forms"]] as const) {
  gated.test(
    `images: ${target}`,
    async () => {
      const dir = mkdtempSync(join(scratchDirectory(), "rt-fuzz-"));
      dirs.push(dir);
      const { said, code } = await fuzz(target, `directory=${dir}`, ...options);
      expect([said, code]).toEqual([expect.stringMatching(/^{"ok":true,"rounds":\d+}\n$/), 0]);
    },
    timeoutMs,
  );
}

test(
  "a safety check that fails is one line of an answer, and the end",
  async () => {
    const { said, code } = await fuzz("fault");
    expect(JSON.parse(said)).toEqual({
      ok: false,
      kind: "fault",
      errno: "",
      message: expect.stringMatching(/^rt-fuzz-layer: internal fault: index out of bounds: index 1, len 0/),
    });
    expect(code).toBe(125);
  },
  timeoutMs,
);
