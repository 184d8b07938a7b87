/** The monitor's end, when somebody wants to keep it: clients that stand still, and strangers that hold the program's output. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, pidOf, statusOf } from "../cli/world.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests();

const pipeBytes = 64 << 10;

const detached = async (name: string, ...command: string[]) =>
  (await host().ok(["run", "-d", "--name", name, image, ...command])).trim();

function monitorOf(id: string): number {
  const text = readFileSync(join(host().state, "containers", id, "pid"), "utf8");
  return Number(/^monitor (\d+)/m.exec(text)![1]);
}

test("what was killed starts again while a client that stands still keeps its old monitor", async () => {
  const id = await detached("kept", "yes");
  const monitor = monitorOf(id);
  const client = host().spawn(["attach", "kept"]);
  try {
    await client.stdout.waitFor("y\n");
    client.kill("SIGSTOP");
    await host().ok(["stop", "-t", "0", "kept"]);
    expect(existsSync(`/proc/${monitor}`)).toBe(true);
    const { code, stderr } = await host().rt(["start", "kept"]);
    expect([code, stderr]).toEqual([0, ""]);
  } finally {
    client.kill("SIGKILL");
    await client.exited;
  }
  await until("the old monitor is gone", () => !existsSync(`/proc/${monitor}`));
  expect(await statusOf(host(), "kept")).toBe("running");
  await host().ok(["rm", "-f", "kept"]);
});

test("a stranger that holds the output, and writes on, does not keep the monitor", async () => {
  const id = await detached("given", "sleep", "1000");
  const monitor = monitorOf(id);
  const output = `/proc/${await pidOf(host(), "given")}/fd/1`;
  const script = 'for n in 1 2 3; do yes >>"$1" & done; echo ready; wait';
  const stranger = Bun.spawn(["sh", "-c", script, "sh", output], { stdout: "pipe", stderr: "ignore" });
  try {
    await stranger.stdout.getReader().read();
    await host().ok(["stop", "-t", "0", "given"]);
    await until("the monitor is gone", () => !existsSync(`/proc/${monitor}`));
    // With the only reader gone nobody writes any more.
    await stranger.exited;
  } finally {
    stranger.kill("SIGKILL");
  }
  const ended = (await host().ok(["inspect", "-f", "{{.State.FinishedAt}}", "given"])).trim();
  const late = await host().ok(["logs", "--since", ended, "given"]);
  expect(late.length).toBeLessThan(2 * pipeBytes);
  await host().ok(["rm", "given"]);
});

test("one who attaches and goes leaves the program its output", async () => {
  await detached("heard", "sh", "-c", "while echo line; do sleep 0.02; done; exit 3");
  const script = `${rtBinary} attach heard | head -n 1`;
  const child = Bun.spawn(["sh", "-c", script], {
    env: host().env,
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await new Response(child.stdout).text()).toBe("line\n");
  await child.exited;
  const logged = async () => (await host().ok(["logs", "heard"])).length;
  const first = await logged();
  await until("its log grows", async () => (await logged()) > first);
  expect(await statusOf(host(), "heard")).toBe("running");
  await host().ok(["rm", "-f", "heard"]);
}, 240_000);
