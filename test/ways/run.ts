/** One run of bun's tests in a way (../support/way.ts): its user is made before, and taken away after, whatever happens. */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { tearDown } from "../support/host.ts";
import { busyboxLayout, helloLayout } from "../support/images.ts";
import { leaksSince, snapshotHost } from "../support/leaks.ts";
import { type OrdinaryUser, ordinaryUser } from "../support/ordinary-user.ts";
import { probeBinary } from "../support/probe.ts";
import { searchPath } from "../support/root.ts";
import { type RtOptions, type RtResult, runRt } from "../support/rt.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { patience } from "../support/wait.ts";
import type { TestUser, Way } from "../support/way.ts";

const project = resolve(import.meta.dir, "../..");

export interface WayRun {
  /** Names of tests that are not run, each with the reason; regular expressions. */
  except?: Readonly<Record<string, string>>;
  /** Of the only tests to be run, when those of the files are too many. */
  only?: readonly string[];
  env?: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

export interface WayResult {
  output: string;
  code: number;
  passed: number;
}

export async function inWay(
  way: Exclude<Way, "root">,
  files: readonly string[],
  options: WayRun,
): Promise<WayResult> {
  const fixtures = [await busyboxLayout(), await helloLayout(), await probeBinary()];
  if (way === "auto") {
    await sweep();
    const dir = mkdtempSync(join(scratchDirectory(), `rt-ways-${process.pid}-`));
    try {
      return await testsIn(dir, files, options, { RT_TEST_AS: way }, asRoot);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  await using user = await ordinaryUser({ subordinates: way === "user" });
  const cache = join(user.dir, "cache");
  for (const fixture of fixtures) copyForAll(dirname(fixture), join(cache, "rt-test"));
  const env = {
    RT_TEST_AS: way,
    RT_TEST_USER: JSON.stringify(described(user)),
    XDG_CACHE_HOME: cache,
    // His default is a stack of his own, which says nothing new in most tests, and which a host without a network has not.
    RT_NETWORK: "none",
  };
  return await testsIn(user.dir, files, options, env, user.rt);
}

function described(user: OrdinaryUser): TestUser {
  const { name, uid, gid, firstSubordinate, runtime, binary } = user;
  return { name, uid, gid, firstSubordinate, runtime, binary, front: user.as([]) };
}

/** Where everybody may read it; root's cache is root's. */
function copyForAll(fixture: string, into: string): void {
  mkdirSync(into, { recursive: true });
  cpSync(fixture, join(into, basename(fixture)), { recursive: true });
  for (const path of new Bun.Glob("**").scanSync({ cwd: into, onlyFiles: false, dot: true, absolute: true }))
    chmodSync(path, 0o755);
}

type Rt = (args: readonly string[], options?: RtOptions) => Promise<RtResult>;

/** All scratch of the tests is in a directory of this run's, so that what they leave is seen, and taken away by `rt`. */
async function testsIn(
  dir: string,
  files: readonly string[],
  options: WayRun,
  env: Readonly<Record<string, string>>,
  rt: Rt,
): Promise<WayResult> {
  const scratch = join(dir, "scratch");
  mkdirSync(scratch);
  const before = snapshotHost([scratch]);
  const pattern = namePattern(options.only ?? [], Object.keys(options.except ?? {}));
  const timeout = String(60_000 * patience);
  const words = ["test", "--timeout", timeout, "-t", pattern, ...files.map((file) => `./${file}`)];
  // It ends with this process, however that ends.
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "--", process.execPath, ...words], {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.timeoutMs && { timeout: options.timeoutMs * patience, killSignal: "SIGKILL" }),
    env: {
      ...process.env,
      PATH: searchPath,
      NO_COLOR: "1",
      RT_TEST_REQUIRE: "1",
      RT_TEST_SCRATCH: scratch,
      ...env,
      ...options.env,
    },
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const left = [...(await hostsLeft(scratch, rt)), ...leaksSince(before, (what) => what.includes(dir))];
  const output = [stdout, stderr, ...left.map((each) => `left behind: ${each}`)].join("\n");
  const passed = Number(output.match(/^ *(\d+) pass$/m)?.[1] ?? 0);
  return { output, code: code === 0 && left.length > 0 ? 99 : code, passed };
}

/** What a run has left that was killed with all that was its own; ordinary users are looked after by ordinary-user.ts. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(scratchDirectory())) {
    const [, pid] = /^rt-ways-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const dir = join(scratchDirectory(), name);
    if (existsSync(join(dir, "scratch"))) await hostsLeft(join(dir, "scratch"), asRoot);
    rmSync(dir, { recursive: true, force: true });
  }
}

const asRoot: Rt = (args, given = {}) => runRt(args, {}, given);

/** Hosts of tests that have been killed: their containers are ended here. */
async function hostsLeft(scratch: string, rt: Rt): Promise<string[]> {
  const left: string[] = [];
  for (const name of readdirSync(scratch)) {
    const dir = join(scratch, name);
    if (!name.startsWith("rt-test-")) continue;
    left.push(dir);
    const env = { RT_ROOT: join(dir, "root"), RT_STATE: join(dir, "state"), HOME: dir };
    await tearDown(dir, (args, given) => rt(args, { ...given, env })).catch((error: Error) =>
      left.push(error.message),
    );
  }
  return left;
}

/** All of `only` (of everything, when empty) but `except`. */
export function namePattern(only: readonly string[], except: readonly string[]): string {
  const not = except.length > 0 ? `(?!.*(?:${except.join("|")}))` : "";
  return `^${not}.*(?:${only.join("|")})`;
}
