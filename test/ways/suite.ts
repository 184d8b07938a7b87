/**
 * Files of bun tests, run once more by a bun of their own in which rt is called in another way (../support/way.ts).
 *
 *   waySuite("user", "run and exec", ["test/cli/run.test.ts"], { tests: 15, except: { "devices and": "no mknod: …" } });
 *
 * is one test, which fails with what bun said. Skipping is forbidden there: what cannot be the same in that way is left out by
 * name, with the reason, which is a row of the table of differences (docs/ways.md).
 */
import { expect } from "bun:test";
import { needs } from "../support/root.ts";
import type { Way } from "../support/way.ts";
import { inWay, type WayRun } from "./run.ts";

export interface WayOptions extends WayRun {
  /** At least so many tests must pass: a pattern that no longer matches anything is not a success. */
  tests: number;
  /** Programs that the files use besides. */
  tools?: readonly string[];
}

const suiteTimeoutMs = 200_000;

export function waySuite(
  way: Exclude<Way, "root">,
  topic: string,
  files: readonly string[],
  options: WayOptions,
): void {
  const tools = ["busybox", "newuidmap", "setpriv", "tar", ...(options.tools ?? [])];
  const { test } = needs({ root: true, tools });
  test(
    `${way}: ${topic}`,
    async () => {
      const { output, code, passed } = await inWay(way, files, { timeoutMs: suiteTimeoutMs, ...options });
      if (process.env.RT_TEST_VERBOSE === "1") console.log(output);
      if (code !== 0) throw new Error(`bun test ended with ${code}:\n${withoutPasses(output)}`);
      expect(passed).toBeGreaterThanOrEqual(options.tests);
    },
    suiteTimeoutMs + 60_000,
  );
}

function withoutPasses(output: string): string {
  const lines = output.split("\n").filter((line) => !line.startsWith("(pass)"));
  return lines.join("\n").slice(-12_000);
}
