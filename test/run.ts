/**
 * Every test of the project, in one command:  bun run test [FILTER…]
 *
 *   packages (packages.ts) -> build -> format and lint -> types -> zig unit tests
 *     -> bun tests (unit and architecture, then those of the executable, then those in a second kernel)
 *
 * The last line is exactly "N passed, N failed", with ", N skipped" where something was. Tests that need root or a tool
 * are skipped without it, and named; RT_TEST_REQUIRE=1 makes each of them a failure. With FILTER only those files run.
 *
 * A few files that failed are run once more, alone, when all else has ended: what fails only beside other work is a wait that
 * was too short and no fault of rt. It is named before the last line, so that the wait is mended.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { installPackages } from "./packages.ts";
import { networkTraces } from "./support/traces.ts";

interface Tally {
  passed: number;
  failed: number;
  skipped: string[];
  /** What failed, for the summary. */
  failures: string[];
  /** What passed alone, after it had failed beside others. */
  unsteady: string[];
}

const project = resolve(import.meta.dir, "..");
const bin = (name: string) => join(project, "node_modules/.bin", name);
const required = process.env.RT_TEST_REQUIRE === "1";
const total: Tally = { passed: 0, failed: 0, skipped: [], failures: [], unsteady: [] };
const started = performance.now();

/**
 * Tests that share nothing with each other, and those that load the machine with containers. `batch`: so many files a process,
 * each of which has a network of its own (own-network.ts).
 */
const suites = [
  {
    ...{ name: "unit", workers: 4, batch: 12, timeoutMs: 30_000 },
    files: [
      "architecture.test.ts",
      "architecture-zig.test.ts",
      "attack-table.test.ts",
      "unit/**/*.test.ts",
      "fuzz/**/*.test.ts",
    ],
  },
  {
    ...{ name: "contract", workers: 2, batch: 1, timeoutMs: 120_000 },
    files: ["contract/**/*.test.ts"],
  },
  {
    ...{ name: "root and cli", workers: 2, batch: 1, timeoutMs: 120_000 },
    files: ["root/**/*.test.ts", "cli/**/*.test.ts"],
  },
  // Tests of the suite before, in other ways of calling rt (ways/suite.ts).
  { ...{ name: "ways", workers: 2, batch: 1, timeoutMs: 260_000 }, files: ["ways/**/*.test.ts"] },
  // Each of these boots a kernel of its own with one processor, and most then run tests of the suites above in it.
  { ...{ name: "vm", workers: 4, batch: 1, timeoutMs: 240_000 }, files: ["vm/**/*.test.ts"] },
];

/** A process that has not ended by then hangs. */
const processTimeoutMs = 12 * 60_000;

/** So many files are run a second time; when more have failed it is rt that is at fault. */
const secondGoesMax = 8;
const failedFiles: { suite: Suite; files: string[]; result: Partial<Tally> }[] = [];

type Suite = (typeof suites)[number];

await main(process.argv.slice(2));

async function main(filters: string[]): Promise<never> {
  if (process.getuid?.() !== 0) {
    console.log("Not root: tests that need it are skipped. To run them all: sudo npx -y bun@1.4.5 run test");
  }
  await installPackages();
  const built = await check("build", [process.execPath, "build.ts"]);
  if (filters.length === 0) {
    await check("format and lint", [
      bin("biome"),
      "check",
      "--error-on-warnings",
      "src",
      "test",
      "build",
      "build.ts",
    ]);
    await check("types", [bin("tsc"), "--noEmit", "-p", "."]);
    await zigTests();
  }
  const before = networkTraces();
  // What needs no executable says more about a broken build than silence would.
  for (const suite of built ? suites : suites.slice(0, 1)) await bunTests(suite, filters);
  await secondGo();
  compareNetwork(before);
  report();
  process.exit(total.failed > 0 ? 1 : 0);
}

/** A command that counts as one test. */
async function check(name: string, command: string[]): Promise<boolean> {
  const { code, output, seconds } = await capture(command, project);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  if (code !== 0) console.log(output);
  count(code === 0 ? { passed: 1 } : { failed: 1, failures: [name] });
  return code === 0;
}

/** Tests have networks of their own: this machine's is as it was. */
function compareNetwork(before: readonly string[]): void {
  const after = networkTraces();
  const changes = after.filter((each) => !before.includes(each));
  if (changes.length > 0) console.log(`FAIL the machine's network: ${changes.join(", ")}`);
  count(
    changes.length === 0 ? { passed: 1 } : { failed: 1, failures: ["the machine's network has changed"] },
  );
}

async function zigTests(): Promise<void> {
  const cache = join(project, ".build/zig-cache");
  const command = [
    bin("zig"),
    "build",
    "test",
    "--summary",
    "all",
    "--cache-dir",
    cache,
    "--global-cache-dir",
    cache,
  ];
  const { code, output, seconds } = await capture(command, join(project, "zig-native"));
  // "Build Summary: 7/7 steps succeeded; 12/12 tests passed" (or "; 11/12 tests passed, 1 skipped").
  const [, passed = "0", all = "0"] = output.match(/(\d+)\/(\d+) tests passed/) ?? [];
  const failed = code === 0 ? 0 : Math.max(1, Number(all) - Number(passed));
  console.log(`${failed === 0 ? "ok  " : "FAIL"} zig: ${passed} tests (${seconds} s)`);
  if (failed > 0) console.log(output);
  count({ passed: Number(passed), failed, failures: failed > 0 ? ["zig unit tests"] : [] });
}

async function bunTests(suite: Suite, filters: string[]): Promise<void> {
  const files = suite.files.flatMap((glob) => [...new Bun.Glob(glob).scanSync(import.meta.dir)]).sort();
  const chosen = files.filter(
    (file) => filters.length === 0 || filters.some((filter) => `test/${file}`.includes(filter)),
  );
  if (chosen.length === 0) return;
  const batches: string[][] = [];
  while (chosen.length > 0) batches.push(chosen.splice(0, suite.batch));
  console.log(`---- ${suite.name}: ${batches.flat().length} files (after ${elapsed()})`);
  const workers = Math.min(suite.workers, availableParallelism());
  const work = async () => {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      const result = await testFiles(suite, batch);
      if ((result.failed ?? 0) > 0) failedFiles.push({ suite, files: batch, result });
      else count(result);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
}

/** What failed beside other work, alone and one after the other. */
async function secondGo(): Promise<void> {
  const number = failedFiles.reduce((sum, { files }) => sum + files.length, 0);
  if (number > 0) console.log(`---- once more: ${number} files (after ${elapsed()})`);
  for (const { suite, files, result } of failedFiles) {
    const second = failedFiles.length > secondGoesMax ? result : await testFiles(suite, files);
    if ((second.failed ?? 0) === 0) total.unsteady.push(...(result.failures ?? []));
    count(second);
  }
}

/** One process. What it says is shown at its end: others run beside it. */
async function testFiles(suite: Suite, files: string[]): Promise<Partial<Tally>> {
  const scratch = mkdtempSync(join(tmpdir(), "rt-run-"));
  const [outfile, log] = [join(scratch, "junit.xml"), join(scratch, "log")];
  const options = ["--timeout", `${suite.timeoutMs}`, "--reporter=junit", `--reporter-outfile=${outfile}`];
  const paths = files.map((file) => `./test/${file}`);
  const output = openSync(log, "a");
  const child = Bun.spawn([process.execPath, "test", "--isolate", ...options, ...paths], {
    cwd: project,
    stdio: ["ignore", output, output],
    timeout: processTimeoutMs,
    killSignal: "SIGKILL",
  });
  const code = await child.exited;
  closeSync(output);
  process.stdout.write(readFileSync(log));
  const result: Partial<Tally> = existsSync(outfile) ? readJunit(readFileSync(outfile, "utf8")) : {};
  rmSync(scratch, { recursive: true, force: true });
  if (code !== 0 && !result.failed) {
    // A file that does not load, an error outside of any test, or a hang: no test case stands for it.
    Object.assign(result, {
      failed: 1,
      failures: [`${suite.name}: bun test ended with ${code}: ${paths.join(" ")}`],
    });
  }
  return result;
}

function readJunit(xml: string): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: [], failures: [], unsteady: [] };
  for (const [, attributes = "", body = ""] of xml.matchAll(
    /<testcase\s([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs,
  )) {
    const value = (key: string) =>
      unescapeXml(attributes.match(new RegExp(`\\b${key}="([^"]*)"`))?.[1] ?? "");
    const name = `${value("file")}: ${[value("classname"), value("name")].filter(Boolean).join(" > ")}`;
    if (body.includes("<skipped")) tally.skipped.push(name);
    else if (body.includes("<failure") || body.includes("<error")) {
      tally.failed++;
      tally.failures.push(name);
    } else tally.passed++;
  }
  return tally;
}

function unescapeXml(text: string): string {
  const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name] ?? "");
}

function count(part: Partial<Tally>): void {
  total.passed += part.passed ?? 0;
  total.failed += part.failed ?? 0;
  total.failures.push(...(part.failures ?? []));
  const skipped = part.skipped ?? [];
  if (required) {
    total.failed += skipped.length;
    total.failures.push(...skipped.map((name) => `skipped, and RT_TEST_REQUIRE=1: ${name}`));
  } else total.skipped.push(...skipped);
}

function report(): void {
  console.log("----");
  for (const name of total.skipped) console.log(`skipped ${name}`);
  for (const name of total.unsteady) console.log(`unsteady (passed alone) ${name}`);
  for (const name of total.failures) console.log(`FAILED  ${name}`);
  const skipped = total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : "";
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
}

function elapsed(): string {
  return `${Math.round((performance.now() - started) / 60_000)} min`;
}

async function capture(
  command: string[],
  cwd: string,
): Promise<{ code: number; output: string; seconds: string }> {
  const started = performance.now();
  const child = Bun.spawn(command, { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, output: `${stdout}${stderr}`, seconds: ((performance.now() - started) / 1000).toFixed(1) };
}
