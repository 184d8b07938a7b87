/** Health checks: of an image and of the flags, what they say where, and what is done about a program that is not well. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hostileImage } from "../root/attacks/hostile.ts";
import { allProcesses } from "../support/leaks.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, type Running, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

interface Health {
  Status: string;
  FailingStreak: number;
  Log: { Start: string; End: string; ExitCode: number; Output: string }[];
}

async function healthOf(name: string): Promise<Health | undefined> {
  return JSON.parse(await host().ok(["inspect", name]))[0].State.Health;
}

function becomes({ name }: Pick<Running, "name">, status: string): Promise<Health> {
  return until(`${name} is ${status}`, async () => {
    const health = await healthOf(name);
    return health?.Status === status && health;
  });
}

const quick = ["--health-interval", "50ms", "--health-retries", "2"];
const checked = (command: string, ...flags: string[]) =>
  running(host(), ["sleep", "1000"], ["--health-cmd", command, ...quick, ...flags]);

const column = async (name: string) =>
  (await host().ok(["ps", "-f", `name=^${name}$`, "--format", "{{.Status}}"])).trim();
const listed = async (health: string) =>
  (await host().ok(["ps", "-aq", "--no-trunc", "-f", `health=${health}`])).trim();

test("starting, healthy, unhealthy, healthy again: inspect, ps, its filter and the events say so", async () => {
  await using container = await checked("echo checked; test ! -e /tmp/bad", "-l", "a=b");
  const { name, id } = container;
  const first = await becomes(container, "healthy");
  expect(first.FailingStreak).toBe(0);
  expect(first.Log[0]).toMatchObject({ ExitCode: 0, Output: "checked\n" });
  for (const time of [first.Log[0]!.Start, first.Log[0]!.End])
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  expect(await column(name)).toMatch(/^Up .* \(healthy\)$/);
  expect([await listed("healthy"), await listed("unhealthy"), await listed("none")]).toEqual([id, "", ""]);
  await host().ok(["exec", name, "touch", "/tmp/bad"]);
  const bad = await becomes(container, "unhealthy");
  expect(bad.FailingStreak).toBeGreaterThanOrEqual(2);
  expect(bad.Log.at(-1)).toMatchObject({ ExitCode: 1, Output: "checked\n" });
  expect(await column(name)).toMatch(/^Up .* \(unhealthy\)$/);
  expect([await listed("healthy"), await listed("unhealthy")]).toEqual(["", id]);
  await until("five of them", async () => (await healthOf(name))?.Log.length === 5);
  await host().ok(["rename", name, `${name}-2`]);
  await host().ok(["exec", id, "rm", "/tmp/bad"]);
  expect((await becomes({ name: id }, "healthy")).FailingStreak).toBe(0);
  await host().ok(["rename", id, name]);

  const events = (await host().ok(["events", "--since", "1h", "--until", "0s", "--format", "json"]))
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line)]))
    .filter((event) => event.Actor.ID === id);
  const of = (action: string) => events.filter((event) => event.Action.startsWith(action));
  expect(of("health_status").map((event) => [event.Action, event.Actor.Attributes])).toEqual([
    ["health_status: healthy", { a: "b", image, name }],
    ["health_status: unhealthy", { a: "b", image, name }],
    ["health_status: healthy", { a: "b", image, name: `${name}-2` }],
  ]);
  const check = "/bin/sh -c echo checked; test ! -e /tmp/bad";
  const created = of(`exec_create: ${check}`)[0]!;
  const { execID } = created.Actor.Attributes;
  expect(execID).toMatch(/^[0-9a-f]{64}$/);
  expect(created).toMatchObject({
    status: created.Action,
    from: image,
    id,
    scope: "local",
    Type: "container",
  });
  const same = events.filter((event) => event.Actor.Attributes.execID === execID);
  expect(same.map((event) => event.Action)).toEqual([
    ...[`exec_create: ${check}`, `exec_start: ${check}`, "exec_die"],
  ]);
  expect(same[2]!.Actor.Attributes).toEqual({ a: "b", image, name, execID, exitCode: "0" });
  expect(same[2]!.timeNano).toBeGreaterThan(1e18);
  expect(Math.floor(same[2]!.timeNano / 1e9)).toBe(same[2]!.time);
});

test("an image's HEALTHCHECK and SHELL; flags replace field by field; --no-healthcheck", async () => {
  const Healthcheck = {
    Test: ["CMD-SHELL", "echo $0 of the image"],
    Interval: 5e7,
    Timeout: 2e9,
    StartPeriod: 0,
    Retries: 7,
  };
  const own = await hostileImage(host(), "checked", {
    config: { Cmd: ["sleep", "1000"], Healthcheck, Shell: ["/bin/sh", "-e", "-c"] },
  });
  const config = async (name: string) => JSON.parse(await host().ok(["inspect", name]))[0].Config;
  await host().ok(["run", "-d", "--name", "its-own", own]);
  expect((await becomes({ name: "its-own" }, "healthy")).Log[0]!.Output).toBe("/bin/sh of the image\n");
  const { StartPeriod: _, ...said } = Healthcheck;
  expect((await config("its-own")).Healthcheck).toEqual(said);
  expect((await config("its-own")).Shell).toEqual(["/bin/sh", "-e", "-c"]);
  await host().ok(["create", "--name", "other", "--health-cmd", "true", "--health-retries", "1", own]);
  expect((await config("other")).Healthcheck).toEqual({ ...said, Test: ["CMD-SHELL", "true"], Retries: 1 });
  await host().ok(["run", "-d", "--name", "none", "--no-healthcheck", own]);
  expect((await config("none")).Healthcheck).toEqual({ ...said, Test: ["NONE"] });
  expect(await healthOf("none")).toBeUndefined();
  expect(await column("none")).not.toContain("(");
  const off = await hostileImage(host(), "off", {
    config: { Cmd: ["sleep", "1000"], Healthcheck: { Test: ["NONE"] } },
  });
  await host().ok(["run", "-d", "--name", "off", "--health-interval", "1s", off]);
  expect(await healthOf("off")).toBeUndefined();
  const exact = await hostileImage(host(), "exact", {
    config: { Cmd: ["sleep", "1000"], Healthcheck: { Test: ["CMD", "echo", "a b"], Interval: 5e7 } },
  });
  await host().ok(["run", "-d", "--name", "exact", exact]);
  expect((await becomes({ name: "exact" }, "healthy")).Log[0]!.Output).toBe("a b\n");
  await host().ok(["rm", "-f", "its-own", "other", "none", "off", "exact"]);
});

test("the check is the container's user in its directory, with its environment; its output is bounded", async () => {
  await using container = await checked(
    "id -un; pwd; echo $A; head -c 5000 /dev/zero | tr '\\0' x",
    ...["-u", "app", "-w", "/tmp", "-e", "A=b"],
  );
  const { Output } = (await becomes(container, "healthy")).Log[0]!;
  expect(Output).toHaveLength(4099);
  expect(Output).toMatch(/^app\n\/tmp\nb\nx+\.\.\.$/);
});

test("what takes too long is ended, and says so; what cannot be executed too", async () => {
  await using container = await checked("echo begun; sleep 71 & sleep 72", "--health-timeout", "300ms");
  const { Log } = await becomes(container, "unhealthy");
  expect(Log[0]).toMatchObject({
    ExitCode: -1,
    Output: "Health check exceeded timeout (300ms): begun\n",
  });
  await until("five were made", async () => (await healthOf(container.name))!.Log.length === 5);
  const left = async () => [...(await host().ok(["top", container.name])).matchAll(/sleep 71/g)].length;
  // What one has started ends with it: at most one is being made.
  await until("they are gone", async () => (await left()) <= 1);
  const none = await hostileImage(host(), "no-such", {
    config: { Cmd: ["sleep", "1000"], Healthcheck: { Test: ["CMD", "/no/such"], Interval: 5e7, Retries: 1 } },
  });
  await host().ok(["run", "-d", "--name", "no-such", none]);
  expect((await becomes({ name: "no-such" }, "unhealthy")).Log[0]).toMatchObject({
    ExitCode: -1,
    Output: 'exec: "/no/such": stat /no/such: no such file or directory',
  });
  await host().ok(["rm", "-f", "no-such"]);
});

test("in its start period a failure does not count, and checks come at the start interval", async () => {
  await using container = await running(
    host(),
    ["sleep", "1000"],
    [
      ...["--health-cmd", "test -e /tmp/good", "--health-interval", "1h", "--health-retries", "1"],
      ...["--health-start-period", "1h", "--health-start-interval", "50ms"],
    ],
  );
  await until("some have failed", async () => (await healthOf(container.name))!.Log.length >= 3);
  expect(await healthOf(container.name)).toMatchObject({ Status: "starting", FailingStreak: 0 });
  expect(await column(container.name)).toMatch(/^Up .* \(health: starting\)$/);
  expect(await listed("starting")).toBe(container.id);
  await host().ok(["exec", container.name, "touch", "/tmp/good"]);
  await becomes(container, "healthy");
});

test("no check begins in a paused container", async () => {
  await using container = await checked("echo x >>/tmp/count");
  await becomes(container, "healthy");
  await host().ok(["pause", container.name]);
  const since = new Date().toISOString();
  const begun = async () => (await healthOf(container.name))!.Log.filter(({ Start }) => Start > since);
  // Many intervals: nothing happens meanwhile.
  await Bun.sleep(500);
  expect(await begun()).toEqual([]);
  expect(await column(container.name)).toEndWith("(Paused)");
  await host().ok(["unpause", container.name]);
  await until("they go on", async () => (await begun()).length > 0);
  expect((await healthOf(container.name))!.Status).toBe("healthy");
});

test("it begins anew with each start, and what was last found stays until then", async () => {
  await using container = await checked("test -e /tmp/good", "--stop-timeout", "0");
  await becomes(container, "unhealthy");
  await host().ok(["stop", container.name]);
  const last = (await healthOf(container.name))!;
  expect(last).toMatchObject({ Status: "unhealthy" });
  expect(last.Log.at(-1)).toMatchObject({ ExitCode: 1, Output: "" });
  expect(await listed("unhealthy")).toBe(container.id);
  await host().ok(["start", container.name]);
  expect((await healthOf(container.name))!.Log.at(-1)?.Start).not.toBe(last.Log.at(-1)!.Start);
  await host().ok(["exec", container.name, "touch", "/tmp/good"]);
  await becomes(container, "healthy");
  await host().ok(["restart", "-t", "0", container.name]);
  await becomes(container, "healthy");
});

test("--health-on-failure: kill, stop and restart", async () => {
  const start = (name: string, action: string, program: string, ...flags: string[]) =>
    host().ok([
      ...["run", "-d", "--name", name, "--health-cmd", "exit 1", ...quick, "--health-on-failure", action],
      ...[...flags, image, "sh", "-c", program],
    ]);
  const trapping = "trap 'exit 5' TERM; while :; do sleep 0.02; done";
  await start("killed", "kill", trapping);
  await until("it ends", async () => (await statusOf(host(), "killed")) === "exited");
  await start("stopped", "stop", trapping, "--restart", "always");
  await until("it ends", async () => (await statusOf(host(), "stopped")) === "exited");
  await start("deaf", "stop", "trap '' TERM; while :; do sleep 0.02; done", "--stop-timeout", "0");
  await until("it ends", async () => (await statusOf(host(), "deaf")) === "exited");
  const codes = ["inspect", "-f", "{{.Name}} {{.State.ExitCode}}", "killed", "stopped", "deaf"];
  expect(await host().ok(codes)).toBe("/killed 137\n/stopped 5\n/deaf 137\n");
  await start("again", "restart", trapping);
  const count = async () => Number(await host().ok(["inspect", "-f", "{{.RestartCount}}", "again"]));
  await until("it is started again, and again", async () => (await count()) >= 2);
  // What a person says counts.
  await host().ok(["stop", "-t", "1", "again"]);
  await until("it stays down", async () => (await statusOf(host(), "again")) === "exited");
  await host().ok(["rm", "-f", "killed", "stopped", "deaf", "again"]);
});

test("kill -9 of the monitor in the middle of a check: nothing of either is left", async () => {
  const mark = `${7_000_000 + process.pid}`;
  await using container = await checked(`sleep ${mark}`);
  const sleeps = () => [...allProcesses().values()].filter((command) => command === `sleep ${mark}`);
  await until("the check is made", () => sleeps().length > 0);
  const file = readFileSync(join(host().state, "containers", container.id, "pid"), "utf8");
  process.kill(Number(/^monitor (\d+)/m.exec(file)![1]), "SIGKILL");
  expect(await container.client.exited).toBe(137);
  await until("it is gone", () => sleeps().length === 0);
});

test("the monitor stays small", async () => {
  await using container = await checked("head -c 200000 /dev/zero; exit 1");
  await until("some were made", async () => (await healthOf(container.name))!.Log.length === 5);
  const file = readFileSync(join(host().state, "containers", container.id, "pid"), "utf8");
  const status = readFileSync(`/proc/${/^monitor (\d+)/m.exec(file)![1]}/status`, "utf8");
  expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1])).toBeLessThanOrEqual(512);
});

test("flags that contradict each other, or say nothing: one line, 125, and nothing is made", async () => {
  const conflict = "--no-healthcheck conflicts with --health-* options";
  for (const [flags, text] of [
    [["--no-healthcheck", "--health-cmd", "true"], conflict],
    [["--no-healthcheck", "--health-retries", "1"], conflict],
    [["--health-interval", "-1s"], "--health-interval cannot be negative"],
    [["--health-retries", "-1"], "--health-retries cannot be negative"],
    [["--health-retries", "x"], 'invalid --health-retries "x": want a number'],
    [["--health-timeout", "5"], 'invalid --health-timeout "5": want a duration, as 30s or 1m30s'],
    [["--health-interval", "10us"], "Interval in Healthcheck cannot be less than 1ms"],
    [["--health-start-period", "10us"], "StartPeriod in Healthcheck cannot be less than 1ms"],
    [["--health-on-failure", "panic"], 'invalid --health-on-failure "panic": want none, kill, restart, stop'],
    [
      ["--rm", "--health-on-failure", "restart"],
      "conflicting options: cannot specify both --health-on-failure=restart and --rm",
    ],
  ] as const) {
    const { stdout, stderr, code } = await host().rt(["run", ...flags, image, "true"]);
    expect([flags, stdout, oneLine(stderr), code]).toEqual([flags, "", text, 125]);
  }
  expect(await host().ok(["ps", "-aq"])).toBe("");
});
