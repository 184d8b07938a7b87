/** `rt update --restart`. */
import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, statusOf } from "./world.ts";

const { test, host } = containerTests();
const policy = async (name: string) => {
  const format = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}";
  return (await host().ok(["inspect", "-f", format, name])).trim();
};

test("one that runs has it from its next end on, and keeps it", async () => {
  await host().ok(["run", "-d", "--name", "job", image, "sleep", "1000"]);
  expect(await host().ok(["update", "--restart", "always", "job"])).toBe("job\n");
  expect(await policy("job")).toBe("always 0");
  for (const _ of [1, 2]) {
    const first = await pidOf(host(), "job");
    process.kill(first, "SIGKILL");
    await until("it runs again", async () => ![0, first].includes(await pidOf(host(), "job")));
  }
  await host().ok(["update", "--restart=no", "job"]);
  process.kill(await pidOf(host(), "job"), "SIGKILL");
  await until("it stays down", async () => (await statusOf(host(), "job")) === "exited");
  expect(await policy("job")).toBe("no 0");
  await host().ok(["rm", "job"]);
});

test("one that does not run has it from its start on", async () => {
  const id = (await host().ok(["create", "--name", "job", image, "sh", "-c", "exit 2"])).trim();
  await host().ok(["container", "update", "--restart=on-failure:2", "job"]);
  await host().ok(["start", "job"]);
  expect(await host().ok(["wait", "job"])).toBe("2\n");
  await until("it is concluded", () => !existsSync(join(host().state, "containers", id)));
  expect(await policy("job")).toBe("on-failure 2");
  await host().ok(["rm", "job"]);
});

test("what cannot be: one line each, nothing changed", async () => {
  await host().ok(["create", "--name", "once", "--rm", image, "true"]);
  for (const [argv, text, status] of [
    [["--restart=always", "once"], "Restart policy cannot be updated because AutoRemove is enabled", 1],
    [["--restart=always:3", "once"], "maximum retry count can only be used with 'on-failure'", 125],
    [["once"], "you must provide one or more flags when using this command", 1],
    [["--restart=no", "nosuch"], "No such container: nosuch", 1],
  ] as const) {
    const { stdout, stderr, code } = await host().rt(["update", ...argv]);
    expect([stdout, code]).toEqual(["", status]);
    expect(oneLine(stderr)).toContain(text);
  }
  expect(await policy("once")).toBe("no 0");
  await host().ok(["rm", "once"]);
});
