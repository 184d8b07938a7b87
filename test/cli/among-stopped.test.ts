/** What is over costs nothing: the system calls of a command do not grow with the containers that have ended. */
import { expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { rtBinary, runRt } from "../support/rt.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { multiplyStopped } from "../support/stopped.ts";
import { containerTests, image, running } from "./world.ts";

const { test, host } = containerTests(["strace"], { keeps: true });

/** Of the command's own threads: a helper's are the same each time, and what the runtime's others do is not ours. */
async function systemCalls(args: readonly string[], kinds = "all"): Promise<number> {
  const dir = mkdtempSync(join(scratchDirectory(), "rt-calls-"));
  try {
    const trace = join(dir, "trace");
    const strace = Bun.spawn(
      ["strace", "-qq", "-e", `trace=${kinds}`, "-e", "signal=none", "-o", trace, rtBinary, ...args],
      {
        env: host().env,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      },
    );
    expect(await strace.stderr.text()).toBe("");
    expect(await strace.exited).toBe(0);
    // The runtime's memory and its threads' meetings are as chance has it.
    const counted =
      /^(?!mmap|munmap|madvise|mprotect|futex|sched|rt_sig|clock|membarrier|epoll|restart|getrusage)\w+\(/;
    return readFileSync(trace, "utf8")
      .split("\n")
      .filter((line) => counted.test(line)).length;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test("run, exec, ps, kill make as many system calls among 300 that are over as among none", async () => {
  await using container = await running(host());
  const commands: Record<string, string[]> = {
    run: ["run", "--rm", image, "true"],
    exec: ["exec", container.name, "true"],
    ps: ["ps"],
    kill: ["kill", "-s", "CONT", container.name],
  };
  await host().ok(["run", "--name", "over", image, "true"]);
  const count = async () => {
    const counts: [string, number][] = [];
    for (const [name, args] of Object.entries(commands)) {
      await systemCalls(args);
      counts.push([
        name,
        Math.min(await systemCalls(args), await systemCalls(args), await systemCalls(args)),
      ]);
    }
    return Object.fromEntries(counts);
  };
  const among = { none: await count(), many: {} as Record<string, number> };
  multiplyStopped(host().root, "over", 300);
  among.many = await count();
  for (const name of Object.keys(commands)) {
    // The database has more pages by then; one call for each container would be 300 more.
    expect([name, among.many[name]! - among.none[name]! < 100]).toEqual([name, true]);
  }
  // A list of all reads the table, and no file of any of them.
  expect((await systemCalls(["ps", "-a"], "%file")) - (await systemCalls(["ps"], "%file"))).toBeLessThan(30);
  expect((await host().ok(["ps", "-aq"])).trim().split("\n")).toHaveLength(302);
  const names = Array.from({ length: 300 }, (_, number) => `over-${number}`);
  const removed = await runRt(["rm", "over", ...names], host().env, {});
  expect([removed.code, removed.stderr]).toEqual([0, ""]);
});

test("of one that was never started ps -a asks one thing: whether it has a state directory", async () => {
  const names = Array.from({ length: 40 }, (_, number) => `new-${number}`);
  for (const name of names) await host().ok(["create", "--name", name, image, "true"]);
  const more = (await systemCalls(["ps", "-a"], "%file")) - (await systemCalls(["ps"], "%file"));
  expect(more).toBeLessThan(names.length + 30);
  await host().ok(["rm", ...names]);
});
