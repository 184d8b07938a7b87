/** `rt kill`: which container, which signal, and what is said when there is none. */
import { expect } from "bun:test";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

test("SIGKILL by default; the client ends with 137", async () => {
  await using container = await running(host());
  expect(await host().ok(["kill", container.name])).toBe(`${container.name}\n`);
  expect(await container.client.exited).toBe(137);
  expect(container.client.stderr.text).toBe("");
  expect((await host().ok(["inspect", "-f", "{{.State.ExitCode}}", container.name])).trim()).toBe("137");
});

test("`container kill`, by id, by the start of an id, by /name", async () => {
  for (const pick of [
    (id: string) => id,
    (id: string) => id.slice(0, 8),
    (_: string, name: string) => `/${name}`,
  ]) {
    await using container = await running(host());
    const word = pick(container.id, container.name);
    expect(await host().ok(["container", "kill", word])).toBe(`${word}\n`);
    expect(await container.client.exited).toBe(137);
  }
});

test("several: each is told by name, a failure does not stop the others, exit 1", async () => {
  await using one = await running(host());
  await using two = await running(host());
  const { stdout, stderr, code } = await host().rt(["kill", one.name, "nosuch", two.name]);
  expect(stdout).toBe(`${one.name}\n${two.name}\n`);
  expect(oneLine(stderr)).toContain("No such container: nosuch");
  expect(code).toBe(1);
  expect(await Promise.all([one.client.exited, two.client.exited])).toEqual([137, 137]);
});

test("a container that does not run: exit 1, in Docker's words", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  const { stdout, stderr, code } = await host().rt(["kill", "over"]);
  expect(stdout).toBe("");
  expect(oneLine(stderr)).toMatch(/^cannot kill container: over: container [0-9a-f]{64} is not running$/);
  expect(code).toBe(1);
  await host().ok(["rm", "over"]);
});

test("SIGSTOP and SIGCONT: the program rests and goes on", async () => {
  await using container = await running(host(), ["sh", "-c", "while :; do echo tick; sleep 0.01; done"]);
  const pid = Number((await host().ok(["inspect", "-f", "{{.State.Pid}}", container.name])).trim());
  const state = async () => /\) (\S)/.exec(await Bun.file(`/proc/${pid}/stat`).text())?.[1];
  await host().ok(["kill", "-s", "STOP", container.name]);
  await until("it rests", async () => (await state()) === "T");
  expect(await statusOf(host(), container.name)).toBe("running");
  await host().ok(["kill", "-s", "CONT", container.name]);
  const ticks = container.client.stdout.text.length;
  await until("it goes on", () => container.client.stdout.text.length > ticks);
  // A stopped one can be killed.
  await host().ok(["kill", "-s", "STOP", container.name]);
  await host().ok(["kill", container.name]);
  expect(await container.client.exited).toBe(137);
});

test("a signal goes to pid 1 alone", async () => {
  const script =
    "(trap 'echo child' USR1; while :; do sleep 0.01; done) & trap 'echo parent' USR1; echo up; while :; do sleep 0.01; done";
  await using container = await running(host(), ["sh", "-c", script]);
  await container.client.stdout.waitFor("up");
  await host().ok(["kill", "-s", "USR1", container.name]);
  await container.client.stdout.waitFor("parent");
  await host().ok(["kill", container.name]);
  await container.client.exited;
  expect(container.client.stdout.text).not.toContain("child");
});

test("--init hands the signal on to the program", async () => {
  await using container = await running(host(), ["probe", "signal-wait", "--exit-on", "HUP"], ["--init"]);
  await container.client.stdout.waitFor("ready");
  await host().ok(["kill", "-s", "HUP", container.name]);
  expect(await container.client.exited).toBe(0);
  expect(container.client.stdout.text).toBe("ready\nsignal HUP\n");
});

test("a pid that another process has now is not killed", async () => {
  await using container = await running(host());
  const bystander = Bun.spawn(["sleep", "1000"]);
  const file = `${host().state}/containers/${container.id}/pid`;
  const text = await Bun.file(file).text();
  await Bun.write(file, text.replace(/^init \d+/m, `init ${bystander.pid}`));
  const { code } = await host().rt(["kill", container.name]);
  expect(code).toBe(1);
  expect(bystander.exitCode).toBe(null);
  await Bun.write(file, text);
  bystander.kill();
  await bystander.exited;
});
