/**
 * A container that froze itself, or groups that it made below its own, can still be ended, and an exec into it says why it
 * does not start. Each fights for it: it writes its state again and again.
 */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { containerTests, image, oneLine, pidOf, running } from "../cli/world.ts";
import { needs } from "../support/root.ts";
import { patience, until } from "../support/wait.ts";

const { test, host } = containerTests();

/** Where groups of this version can be frozen: v1 has a hierarchy for it, v2 is any. */
function absent(version: string): string | undefined {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const there = version === "v1" ? / - cgroup \S+ \S*\bfreezer\b/.test(mounts) : / - cgroup2 /.test(mounts);
  return there ? undefined : `a host with cgroup ${version}`;
}

for (const version of ["v1", "v2"]) {
  const gated = needs({ root: true, tools: ["busybox", "tar"], also: () => absent(version) });
  for (const which of ["own", "nested"]) {
    for (const ending of [["kill"], ["rm", "-f"]]) {
      gated.test(
        `${version}, ${which} group: rt ${ending.join(" ")} ends it, exec says why it does not`,
        async () => {
          const flags = ["--security-opt", "seccomp=unconfined"];
          await using container = await running(host(), ["probe", "freeze", version, which], flags);
          await container.client.stdout.waitFor("ready");
          const pid = await pidOf(host(), container.name);
          if (which === "own") {
            await until("it is frozen", () => isFrozen(version, pid));
            const started = performance.now();
            const { code, stderr } = await host().rt(["exec", container.name, "true"]);
            expect(oneLine(stderr)).toContain("is paused, unpause the container before exec");
            expect(code).toBe(1);
            expect(performance.now() - started).toBeLessThan(1000 * patience);
          } else {
            expect(await host().ok(["exec", container.name, "echo", "in"])).toBe("in\n");
          }
          expect(await host().ok([...ending, container.name], { timeoutMs: 5000 })).toBe(
            `${container.name}\n`,
          );
          expect(await container.client.exited).toBe(137);
        },
      );
    }
  }
}

test("a default container cannot freeze itself: the filter of system calls is in the way", async () => {
  for (const version of ["v1", "v2"]) {
    const { code, stdout } = await host().rt(["run", "--rm", image, "probe", "freeze", version, "own"]);
    expect([code, stdout]).toEqual([1, "error EPERM enter\n"]);
  }
});

/** By what the kernel says of the group that the process is in. */
function isFrozen(version: string, pid: number): boolean {
  const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const v1 = version === "v1";
  const group = groups.match(v1 ? /^\d+:[^:]*\bfreezer\b[^:]*:(.*)$/m : /^0::(.*)$/m)?.[1];
  const mount = mounts.find((line) => (v1 ? / - cgroup \S+ \S*\bfreezer\b/ : / - cgroup2 /).test(line));
  const directory = `${mount?.split(" ")[4]}${group}`;
  return v1
    ? readFileSync(`${directory}/freezer.state`, "utf8").startsWith("FROZEN")
    : readFileSync(`${directory}/cgroup.events`, "utf8").includes("frozen 1");
}
