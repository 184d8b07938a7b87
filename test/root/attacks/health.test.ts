/**
 * Checks that do what no honest check does: its monitor, and whoever looks at the container, are none the worse for it. The program
 * of each container is well all the time, and can be ended at once.
 */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, running } from "../../cli/world.ts";
import { until } from "../../support/wait.ts";
import { hostileImage } from "./hostile.ts";

const { test, host } = containerTests();

interface Health {
  Status: string;
  FailingStreak: number;
  Log: { Start: string; ExitCode: number; Output: string }[];
}

async function healthOf(name: string): Promise<Health> {
  return JSON.parse(await host().ok(["inspect", name]))[0].State.Health;
}

const checks: Record<string, [command: string, ...flags: string[]]> = {
  "has children without end": ["while :; do sleep 1000 & done", ...["-u", "app", "--ulimit", "nproc=60:60"]],
  "writes without end": ["yes"],
  "ends for nobody": ["trap '' TERM INT HUP; while :; do :; done"],
  "leaves somebody who writes on": ["setsid sh -c 'yes 2>&1' & exit 1"],
  "stops itself": ["kill -STOP $$"],
  "writes to terminals": ["printf '\\033]0;owned\\007\\033[2J\\377\\000\\342\\200\\256\"\\\\\\n'; exit 1"],
  "ends its own group": ["kill -9 0"],
  "closes everything": ["exec 0<&- 1>&- 2>&-; exit 1"],
  "looks for descriptors": ["ls -l /proc/self/fd; exit 1"],
};

for (const [what, [command, ...flags]] of Object.entries(checks)) {
  test(`a check that ${what}`, async () => {
    const often = ["--health-interval", "20ms", "--health-timeout", "200ms", "--health-retries", "2"];
    await using container = await running(
      host(),
      ["sleep", "1000"],
      ["--health-cmd", command, ...often, ...flags],
    );
    const health = await until("it is unhealthy", async () => {
      const seen = await healthOf(container.name);
      return seen.Status === "unhealthy" && seen;
    });
    const file = readFileSync(join(host().state, "containers", container.id, "pid"), "utf8");
    const status = readFileSync(`/proc/${/^monitor (\d+)/m.exec(file)![1]}/status`, "utf8");
    expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1])).toBeLessThanOrEqual(512);
    for (const { Output } of health.Log) expect(Output.length).toBeLessThan(4200);
    // What is shown is one row, and nothing in it acts.
    const [text, row] = [await host().ok(["inspect", container.name]), await host().ok(["ps"])];
    expect(/[\p{Cc}\p{Cf}]/u.exec(text.replaceAll("\n", ""))).toBeNull();
    expect(row.trim().split("\n")).toHaveLength(2);
    if (what.endsWith("descriptors")) {
      const numbers = [...health.Log[0]!.Output.matchAll(/ (\d+) -> (\S+)/g)].map(([, n, to]) => [n, to]);
      // Another would be the directory that ls reads, which is gone by then.
      expect(numbers.map(([n]) => n)).toEqual(["0", "1", "2"]);
      expect(numbers[0]![1]).toBe("/dev/null");
    }
    expect(await host().ok(["rm", "-f", container.name], { timeoutMs: 5000 })).toBe(`${container.name}\n`);
    expect(await container.client.exited).toBe(137);
  });
}

test("one that freezes its container says nothing more, and rm -f ends it", async () => {
  await using container = await running(
    host(),
    ["sleep", "1000"],
    [
      ...[
        "--security-opt",
        "seccomp=unconfined",
        "--health-cmd",
        "probe freeze v1 own || probe freeze v2 own",
      ],
      ...["--health-interval", "20ms", "--health-timeout", "200ms", "--health-retries", "1"],
    ],
  );
  await until("it is paused", async () =>
    (await host().ok(["ps", "--format", "{{.Status}}"])).includes("(Paused)"),
  );
  expect(await host().ok(["rm", "-f", container.name], { timeoutMs: 5000 })).toBe(`${container.name}\n`);
  expect(await container.client.exited).toBe(137);
});

test("labels of an image, and a check's words, cannot make up an event", async () => {
  const evil = 'a","Action":"fake\n{"\u0001\u0002\u0003\\';
  const odd = await hostileImage(host(), "labelled", {
    config: {
      Cmd: ["sleep", "1000"],
      Labels: { x: evil },
      Healthcheck: { Test: ["CMD", "echo", evil], Interval: 2e7 },
    },
  });
  const id = (await host().ok(["run", "-d", "--name", "labelled", odd])).trim();
  await until("it is healthy", async () => (await healthOf("labelled")).Status === "healthy");
  expect((await healthOf("labelled")).Log[0]!.Output).toBe(`${evil}\n`);
  const lines = readFileSync(join(host().state, "events/1.jsonl"), "utf8").trim().split("\n");
  const own = lines.map((line) => JSON.parse(line)).filter((event) => event.Actor.ID === id);
  expect(own.some((event) => event.Action === "health_status: healthy")).toBe(true);
  expect(own.some((event) => event.Action === `exec_create: echo ${evil}`)).toBe(true);
  for (const { Actor } of own) expect(Actor.Attributes.x).toBe(evil);
  await host().ok(["rm", "-f", "labelled"]);
});
