/**
 * Files of bun tests, run by bun in the second kernel: those of guest/, which are for cgroup v2 alone, and those of
 * test/root and test/cli that say something new there.
 *
 *   guestSuite("run and exec", ["test/cli/run.test.ts", "test/cli/exec.test.ts"], { tests: 20 });
 *
 * is one test of this machine, which fails with what bun said in the guest. Skipping is forbidden there: what the guest
 * lacks, `except` leaves out by name and with its reason.
 */
import { expect } from "bun:test";
import { dirname, resolve } from "node:path";
import { busyboxLayout, helloLayout } from "../support/images.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { cacheDirectory } from "../support/scratch.ts";
import { type GuestOptions, runInUml, umlNeeds } from "./uml.ts";

const project = resolve(import.meta.dir, "../..");

export interface SuiteOptions {
  /** At least so many tests must pass: a pattern that no longer matches anything is not a success. */
  tests: number;
  /** Names of tests that cannot be run there, each with the reason. */
  except?: Readonly<Record<string, string>>;
  /** Names of the only tests to be run, when those of the files are too many; regular expressions, as those of `except`. */
  only?: readonly string[];
  tools?: readonly string[];
  /** Makers of fixtures that the files use, beside the small images. */
  fixtures?: readonly (() => Promise<unknown>)[];
  env?: Record<string, string>;
  guest?: Pick<GuestOptions, "memory" | "modules" | "systemd" | "timeoutMs">;
}

export function guestSuite(name: string, files: readonly string[], options: SuiteOptions): void {
  const { test } = needs({ ...umlNeeds, tools: [...umlNeeds.tools, "tar", ...(options.tools ?? [])] });
  test(
    `in the second kernel: ${name}`,
    async () => {
      // Fixtures are made here: the guest sees them, and cannot write.
      const makers = [busyboxLayout, helloLayout, probeBinary, ...(options.fixtures ?? [])];
      for (const make of makers) await make();
      expect(await testsInGuest(files, options)).toBeGreaterThanOrEqual(options.tests);
    },
    guestTimeoutMs + 30_000,
  );
}

/** Of one with one processor, on a machine that has four of them and other tests besides. What hangs in it is ended sooner, by bun. */
const guestTimeoutMs = 600_000;

/** What the guest holds, one line each. All of it is ours, so whatever is there afterwards and was not is a leak. */
const leaks = `held() {
  find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d ! -path /sys/fs/cgroup/rt
  cut -d " " -f 5 /proc/self/mountinfo
  ls -d /tmp/* /dev/shm/* /run/*
  for process in /proc/[0-9]*; do tr "\\0" " " <$process/cmdline | cut -c 1-200; done
} 2>/dev/null`;

const nothingNew = `held >/run/vm/held
new=$(echo "$before" | busybox grep -vxFf - /run/vm/held | grep -v "^/run/vm/held$")
[ -z "$new" ] || { echo "left behind in the guest: $new"; code=99; }`;

/** How many passed. @throws Error with what bun said, when one failed. */
async function testsInGuest(files: readonly string[], options: SuiteOptions): Promise<number> {
  const pattern = namePattern(options.only ?? [], Object.keys(options.except ?? {}));
  const command = [process.execPath, "test", "--timeout", "150000", "-t", pattern];
  const words = [...command, ...files.map((file) => `./${file}`)].map(quote).join(" ");
  const script = `cd ${quote(project)}\n${leaks}\nbefore=$(held)\n${words}\ncode=$?\n${nothingNew}\nexit $code`;
  const { stdout, code } = await runInUml(script, {
    memory: "2048M",
    timeoutMs: guestTimeoutMs,
    visible: [project, dirname(process.execPath), dirname(rtBinary), cacheDirectory()],
    ...options.guest,
    modules: ["fuse", ...(options.guest?.modules ?? [])],
    env: {
      NO_COLOR: "1",
      RT_TEST_REQUIRE: "1",
      RT_TEST_PATIENCE: "5",
      RT_BINARY: rtBinary,
      // This kernel's nftables have no family but bridge.
      RT_NETWORK: "none",
      XDG_CACHE_HOME: dirname(cacheDirectory()),
      ...options.env,
    },
  });
  if (process.env.RT_TEST_VERBOSE === "1") console.log(stdout);
  if (code !== 0) throw new Error(`bun test ended with ${code} in the guest:\n${withoutPasses(stdout)}`);
  return Number(stdout.match(/^ *(\d+) pass$/m)?.[1] ?? 0);
}

/** All of `only` (of everything, when empty) but `except`. */
function namePattern(only: readonly string[], except: readonly string[]): string {
  const not = except.length > 0 ? `(?!.*(?:${except.join("|")}))` : "";
  return `^${not}.*(?:${only.join("|")})`;
}

function withoutPasses(output: string): string {
  const lines = output.split("\n").filter((line) => !line.startsWith("(pass)"));
  return lines.join("\n").slice(-12_000);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
