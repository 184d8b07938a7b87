/** `rt run -d`: the program is left to its monitor, which sees to the end when no client does. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, remains, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

const detached = async (flags: string[], ...command: string[]) =>
  (await host().ok(["run", "-d", ...flags, image, ...command])).trim();

/** Its exit is on record, and its state directory gone, though no command has looked. */
async function concluded(id: string): Promise<void> {
  await until(
    "the monitor has written the exit down",
    () => !existsSync(join(host().state, "containers", id)),
  );
}

test("the id is printed, and the program runs on under its monitor", async () => {
  const id = await detached(["--name", "left"], "sleep", "1000");
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(await statusOf(host(), "left")).toBe("running");
  expect(await host().ok(["exec", "left", "echo", "inside"])).toBe("inside\n");
  await host().ok(["rm", "-f", "left"]);
});

test("the monitor writes the end down by itself", async () => {
  const id = await detached(["--name", "over"], "sh", "-c", "exit 7");
  await concluded(id);
  expect(await host().ok(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "over"])).toBe(
    "exited 7\n",
  );
  await host().ok(["rm", "over"]);
});

test("with --rm nothing is left, though no command follows", async () => {
  await detached(["--rm"], "true");
  await until("nothing is left", () => remains(host()).length === 0);
  expect(await host().ok(["ps", "-aq"])).toBe("");
});

test("a client that dies leaves the end to the monitor too", async () => {
  await using container = await running(host(), ["sleep", "1000"]);
  container.client.kill("SIGKILL");
  await container.client.exited;
  process.kill(await pidOf(host(), container.name), "SIGKILL");
  await concluded(container.id);
  expect(await statusOf(host(), container.name)).toBe("exited");
});

test("what cannot be started leaves nothing, and has Docker's status", async () => {
  const { code, stderr, stdout } = await host().rt(["run", "-d", image, "no-such-program"]);
  expect([code, stdout]).toEqual([127, ""]);
  expect(oneLine(stderr)).toContain("no-such-program");
});

test("--cidfile, and stdin that stays open for an attach", async () => {
  const file = join(host().dir, "cid");
  const id = await detached(["-i", "--name", "reader", "--cidfile", file], "cat");
  expect(readFileSync(file, "utf8")).toBe(id);
  expect(await host().ok(["attach", "reader"], { stdin: "for cat" })).toBe("for cat");
  await concluded(id);
  await host().ok(["rm", "reader"]);
});

test("a monitor that is killed leaves the end to the next command", async () => {
  const id = await detached(["--name", "unwritten"], "sleep", "1000");
  const directory = join(host().state, "containers", id);
  const monitor = Number(/^monitor (\d+)/m.exec(readFileSync(join(directory, "pid"), "utf8"))![1]);
  process.kill(monitor, "SIGKILL");
  await until("it is gone", () => !existsSync(`/proc/${monitor}`));
  expect(await statusOf(host(), "unwritten")).toBe("exited");
  expect(existsSync(directory)).toBe(false);
  await host().ok(["rm", "unwritten"]);
});

test("a state directory whose removal was cut short is gone after the next command", async () => {
  const left = join(host().state, "containers", `over-${crypto.randomUUID()}`);
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, "lock"), "");
  await host().ok(["ps"]);
  expect(existsSync(left)).toBe(false);
});
