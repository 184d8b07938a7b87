/** Signals: from the caller to the client to the program, and by `rt kill`. */
import { expect } from "bun:test";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { catches, containerId, containerTests, image, oneLine, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"] as const) {
  test(`${signal} to the client is forwarded`, async () => {
    const name = signal.slice(3);
    await using container = await running(host(), ["probe", "signal-wait", "--exit-on", name]);
    await container.client.stdout.waitFor("ready");
    container.client.kill(signal);
    expect(await container.client.exited).toBe(0);
    expect(container.client.stdout.text).toBe(`ready\nsignal ${name}\n`);
  });
}

test("a forwarded signal that ends the program: 128+n", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--init"]);
  await catches(container.client.pid, 15);
  container.client.kill("SIGTERM");
  expect(await container.client.exited).toBe(143);
});

test("pid 1 without a handler does not see SIGTERM; SIGKILL it does", async () => {
  await using container = await running(host(), [
    "sh",
    "-c",
    "trap 'echo usr1' USR1; echo up; while :; do sleep 0.01; done",
  ]);
  await container.client.stdout.waitFor("up");
  container.client.kill("SIGTERM");
  container.client.kill("SIGUSR1");
  await container.client.stdout.waitFor("usr1");
  expect(await statusOf(host(), container.name)).toBe("running");
  await host().ok(["kill", container.name]);
  expect(await container.client.exited).toBe(137);
});

test("a signal passes stdin that the program does not read, and that is full", async () => {
  await using container = await running(host(), ["probe", "signal-wait", "--exit-on", "TERM"], ["-i"]);
  await container.client.stdout.waitFor("ready");
  container.client.write(new Uint8Array(8 << 20));
  await until("the program's stdin is full", () => stuck(container.client.pid));
  container.client.kill("SIGTERM");
  await container.client.stdout.waitFor("signal TERM");
  expect(await container.client.exited).toBe(0);
});

/** The client waits in poll(2) and reads no more: its own stdin pipe stays full. */
async function stuck(pid: number): Promise<boolean> {
  const bytes = () => Bun.file(`/proc/${pid}/io`).text();
  const before = await bytes();
  await Bun.sleep(50);
  return before === (await bytes());
}

test("a signal passes output that nobody reads", async () => {
  const fifo = join(host().dir, "unread");
  await run(["mkfifo", fifo]);
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const writer = openSync(fifo, constants.O_WRONLY);
  const script = "trap 'exit 7' TERM; yes & wait";
  const command = [rtBinary, "run", "--rm", "--name", "unread", image, "sh", "-c", script];
  const child = Bun.spawn(command, { env: host().env, stdout: writer });
  closeSync(writer);
  await containerId(host(), "unread");
  await until("all is full", () => stuck(child.pid));
  child.kill("SIGTERM");
  await until("it ends, while we read", () => {
    const { bytes } = readSome(reader);
    return bytes === 0 && child.exitCode !== null;
  });
  closeSync(reader);
  expect(child.exitCode).toBe(7);
});

function readSome(fd: number): { bytes: number } {
  try {
    return { bytes: readSync(fd, new Uint8Array(1 << 16)) };
  } catch (error) {
    if ((error as { code?: string }).code !== "EAGAIN") throw error;
    return { bytes: 0 };
  }
}

test("--sig-proxy=false: the signal is the client's own, and the container runs on", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--init", "--sig-proxy=false"]);
  container.client.kill("SIGTERM");
  expect(await container.client.exited).toBe(143);
  expect(await statusOf(host(), container.name)).toBe("running");
});

test("signals that the caller ignores stay ignored (nohup)", async () => {
  const command = [rtBinary, "run", "--name", "nohup", image, "probe", "signal-wait", "--exit-on", "USR1"];
  const child = Bun.spawn(["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", ...command], {
    env: host().env,
    stdout: "pipe",
  });
  // Only what the program says tells that our handlers are in place: the runtime has one for USR1 of its own before.
  const output = child.stdout.getReader();
  expect(new TextDecoder().decode((await output.read()).value)).toBe("ready\n");
  child.kill("SIGHUP");
  child.kill("SIGUSR1");
  expect(new TextDecoder().decode((await output.read()).value)).toBe("signal USR1\n");
  expect(await child.exited).toBe(0);
  await host().ok(["rm", "nohup"]);
});

test("many signals of many kinds, each arrives", async () => {
  await using container = await running(host(), ["probe", "signal-wait", "--exit-on", "TERM"]);
  await container.client.stdout.waitFor("ready");
  for (const [index, signal] of (["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGUSR1"] as const).entries()) {
    container.client.kill(signal);
    await until("it has arrived", () => container.client.stdout.text.split("signal").length === index + 2);
  }
  container.client.kill("SIGTERM");
  expect(await container.client.exited).toBe(0);
});

const kills: [string[], string][] = [
  [["-s", "USR1"], "USR1"],
  [["--signal=SIGUSR1"], "USR1"],
  [["-s", "usr1"], "USR1"],
  [["-s", "10"], "USR1"],
  [["-s", "HUP"], "HUP"],
  [["-s", "RTMIN+3"], "37"],
];

test("kill -s by name, number and in any case", async () => {
  await using container = await running(host(), ["probe", "signal-wait", "--exit-on", "TERM"]);
  await container.client.stdout.waitFor("ready");
  for (const [index, [flags, name]] of kills.entries()) {
    expect(await host().ok(["kill", ...flags, container.name])).toBe(`${container.name}\n`);
    await until("it has arrived", () => container.client.stdout.text.split("\n").length === index + 3);
    expect(container.client.stdout.text).toEndWith(`signal ${name}\n`);
  }
  await host().ok(["kill", "-s", "TERM", container.id.slice(0, 12)]);
  expect(await container.client.exited).toBe(0);
});

test("exec forwards signals to its own program, not to the container's", async () => {
  await using container = await running(host());
  await using exec = host().spawn(["exec", container.name, "probe", "signal-wait", "--exit-on", "TERM"]);
  await exec.stdout.waitFor("ready");
  exec.kill("SIGTERM");
  expect(await exec.exited).toBe(0);
  expect(await statusOf(host(), container.name)).toBe("running");
});

test("attach forwards signals too", async () => {
  await using container = await running(host(), ["probe", "signal-wait", "--exit-on", "USR1"]);
  await container.client.stdout.waitFor("ready");
  await using attached = host().spawn(["attach", container.name]);
  await catches(attached.pid, 12);
  attached.kill("SIGUSR2");
  await container.client.stdout.waitFor("signal USR2");
  await host().ok(["kill", "-s", "USR1", container.name]);
  expect(await container.client.exited).toBe(0);
});

test("a bad signal", async () => {
  const { stderr, code } = await host().rt(["kill", "-s", "NOSUCH", "any"]);
  expect(oneLine(stderr)).toContain("NOSUCH");
  expect(code).toBe(125);
});
