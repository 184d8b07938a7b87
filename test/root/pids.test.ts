/** Processes run out: in a container that makes as many as it can, and where rt itself is started. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, running } from "../cli/world.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests();

/** Where the pids controller is: a hierarchy of v1, or the unified one. */
const pids = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].find((path) =>
  existsSync(join(path, "cgroup.procs")),
)!;
const numberIn = (...path: string[]) => Number(readFileSync(join(...path), "utf8"));

test("a container has a limit, all together have one, and both leave room for rt", async () => {
  await using container = await running(host(), ["sleep", "100"]);
  const each = numberIn(pids, "rt", container.id, "pids.max");
  const all = numberIn(pids, "rt", "pids.max");
  const most = Math.min(...["pid_max", "threads-max"].map((name) => numberIn("/proc/sys/kernel", name)));
  expect(each).toBe(Math.min(4096, Math.floor(all / 2)));
  expect(all).toBeLessThanOrEqual(Math.floor((most * 7) / 8));
});

test("a fork bomb comes to its limit, and is looked at and removed while it goes off", async () => {
  await using container = await running(host(), ["probe", "bomb"]);
  const group = join(pids, "rt", container.id);
  // Not four thousand processes in a test.
  writeFileSync(join(group, "pids.max"), "50");
  await until("the limit", () => /^max [1-9]/m.test(readFileSync(join(group, "pids.events"), "utf8")));
  expect(await host().ok(["ps", "--format", "{{.Names}}"])).toBe(`${container.name}\n`);
  const failed = await host().rt(["exec", container.name, "true"]);
  expect(failed.stderr).toMatch(/^rt: .*\(EAGAIN\): \S+ has about as many processes as it may have; .*\n$/);
  expect(await host().ok(["rm", "-f", container.name])).toBe(`${container.name}\n`);
  expect(existsSync(group)).toBe(false);
});

test("where there is no room for another process rt says so, in one line", async () => {
  const group = join(pids, `rt-test-${process.pid}`);
  mkdirSync(group);
  try {
    for (let most = 1; most < 12; most++) {
      writeFileSync(join(group, "pids.max"), String(most));
      const enter = `echo 0 >${group}/cgroup.procs; exec "$0" "$@"`;
      const words = ["-c", enter, rtBinary, "run", "--rm", image, "probe", "exit", "3"];
      const { stdout, stderr, code } = await host().rt(words, { binary: "/bin/sh" });
      expect(stdout).toBe("");
      if (code === 3) expect(stderr).toBe("");
      else
        expect({ most, stderr, code }).toEqual({
          most,
          stderr: expect.stringMatching(/^rt: [^\n]*EAGAIN[^\n]*\n$/),
          code: 125,
        });
    }
  } finally {
    await until("the last process is gone", () => readFileSync(join(group, "cgroup.procs"), "utf8") === "");
    rmdirSync(group);
  }
});
