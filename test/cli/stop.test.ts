/** `rt stop` and `rt wait`: how a container is ended, and what is said of its end. */
import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { catches, containerTests, image, oneLine, pidOf, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

/** A program that notes what it gets, and ends by itself on TERM alone. */
const polite = ["probe", "signal-wait", "--exit-on", "TERM", "TERM", "HUP", "USR1"];
/** PID 1 that has no handler for TERM: the kernel keeps it from it. */
const deaf = ["sleep", "1000"];

test("the stop signal ends it, its name is told, and nothing is sent to one that has ended", async () => {
  await using container = await running(host(), polite);
  await container.client.stdout.waitFor("ready");
  expect(await host().ok(["stop", container.name])).toBe(`${container.name}\n`);
  expect(await container.client.exited).toBe(0);
  expect(container.client.stdout.text).toContain("signal TERM");
  expect(await host().ok(["container", "stop", container.id.slice(0, 12)])).toBe(
    `${container.id.slice(0, 12)}\n`,
  );
  expect(await statusOf(host(), container.name)).toBe("exited");
});

test("--stop-signal of the container, and -s over it", async () => {
  await using one = await running(
    host(),
    ["probe", "signal-wait", "--exit-on", "HUP", "HUP"],
    ["--stop-signal", "HUP"],
  );
  await one.client.stdout.waitFor("ready");
  await host().ok(["stop", one.name]);
  expect(await one.client.exited).toBe(0);
  await using two = await running(host(), ["probe", "signal-wait", "--exit-on", "USR1", "USR1"]);
  await two.client.stdout.waitFor("ready");
  await host().ok(["stop", "--signal", "SIGUSR1", two.name]);
  expect(await two.client.exited).toBe(0);
});

test("SIGKILL after the timeout and not before it", async () => {
  await using container = await running(host(), deaf);
  const started = performance.now();
  await host().ok(["stop", "-t", "1", container.name]);
  expect(performance.now() - started).toBeGreaterThan(900);
  expect(await container.client.exited).toBe(137);
  await using other = await running(host(), deaf);
  const at = performance.now();
  await host().ok(["stop", "--time=0", other.name]);
  expect(performance.now() - at).toBeLessThan(5000);
  expect(await other.client.exited).toBe(137);
});

test("-t -1 waits for ever", async () => {
  await using container = await running(host(), deaf);
  await using stopping = host().spawn(["stop", "-t", "-1", container.name]);
  const marked = join(host().state, "containers", container.id, "stopped");
  await until("the signal was sent", () => existsSync(marked));
  expect(await statusOf(host(), container.name)).toBe("running");
  await host().ok(["kill", container.name]);
  expect(await stopping.exited).toBe(0);
  expect(stopping.stdout.text).toBe(`${container.name}\n`);
});

test("several at once take as long as one; a failure does not stop the others, exit 1", async () => {
  await using one = await running(host(), deaf);
  await using two = await running(host(), deaf);
  const started = performance.now();
  const { stdout, stderr, code } = await host().rt(["stop", "-t", "2", one.name, "nosuch", two.name]);
  expect(performance.now() - started).toBeLessThan(3900);
  expect(stdout).toBe(`${one.name}\n${two.name}\n`);
  expect(oneLine(stderr)).toBe("No such container: nosuch");
  expect(code).toBe(1);
  expect(await Promise.all([one.client.exited, two.client.exited])).toEqual([137, 137]);
});

test("a paused container hears of it, and ends", async () => {
  await using container = await running(host(), polite);
  await container.client.stdout.waitFor("ready");
  await host().ok(["pause", container.name]);
  await host().ok(["stop", container.name]);
  expect(await container.client.exited).toBe(0);
});

test("one that was kept from running is stopped all the same", async () => {
  await using container = await running(host(), deaf);
  await host().ok(["kill", "-s", "STOP", container.name]);
  await host().ok(["stop", "-t", "0", container.name]);
  expect(await container.client.exited).toBe(137);
});

test("wait: each exit status as it ends, in the order of the names", async () => {
  await using one = await running(host(), ["probe", "signal-wait", "--exit-on", "TERM", "TERM"]);
  await using two = await running(host(), ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.01; done"]);
  await one.client.stdout.waitFor("ready");
  await catches(await pidOf(host(), two.name), 15);
  await using waiting = host().spawn(["wait", one.name, two.name]);
  await host().ok(["kill", "-s", "TERM", two.name]);
  await two.client.exited;
  expect(waiting.stdout.text).toBe("");
  await host().ok(["kill", "-s", "TERM", one.name]);
  expect(await waiting.exited).toBe(0);
  expect(waiting.stdout.text).toBe("0\n7\n");
});

test("wait: at once for one that has ended, 1 for one that is not there", async () => {
  await host().rt(["run", "--name", "over", image, "sh", "-c", "exit 3"]);
  const { stdout, stderr, code } = await host().rt(["wait", "nosuch", "over"]);
  expect([stdout, code]).toEqual(["3\n", 1]);
  expect(oneLine(stderr)).toBe("No such container: nosuch");
  await host().ok(["rm", "over"]);
});

test("wait: a container whose monitor is killed has ended too", async () => {
  await using container = await running(host());
  await using waiting = host().spawn(["wait", container.name]);
  const file = await Bun.file(join(host().state, "containers", container.id, "pid")).text();
  process.kill(Number(/^monitor (\d+)/m.exec(file)?.[1]), "SIGKILL");
  expect(await waiting.exited).toBe(0);
  expect(waiting.stdout.text).toBe("137\n");
});

test("words that are wrong: one line, 125, nothing is stopped", async () => {
  await using container = await running(host());
  for (const argv of [
    ["stop", "-t", "soon", container.name],
    ["stop", "-s", "NONE", container.name],
    ["stop"],
    ["wait"],
  ]) {
    const { code, stderr } = await host().rt(argv);
    oneLine(stderr);
    expect(code).toBe(125);
  }
  expect(await statusOf(host(), container.name)).toBe("running");
});

test("wait: the status of one that is removed as soon as it ends", async () => {
  for (let round = 0; round < 5; round++) {
    await using container = await running(host(), polite, ["--rm"]);
    await container.client.stdout.waitFor("ready");
    await using waiting = host().spawn(["wait", container.name]);
    const directory = join(host().state, "containers", container.id);
    await until("it waits", () => existsSync(join(directory, "watched")));
    await host().ok(["kill", container.name]);
    expect(await waiting.exited).toBe(0);
    expect([waiting.stdout.text, waiting.stderr.text]).toEqual(["137\n", ""]);
    await container.client.exited;
    await until("it is gone", () => !existsSync(directory));
  }
});

test("wait: one that was stopped itself does not keep a container from being removed", async () => {
  await using container = await running(host());
  await using waiting = host().spawn(["wait", container.name]);
  await until("it waits", () => existsSync(join(host().state, "containers", container.id, "watched")));
  waiting.kill("SIGSTOP");
  await host().ok(["rm", "-f", container.name]);
  waiting.kill("SIGCONT");
});
