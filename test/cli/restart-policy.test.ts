/** --restart: the monitor decides and waits, and becomes rt to start the program again. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, remains, statusOf } from "./world.ts";

const { test, host } = containerTests();

const state = (id: string, file: string) => join(host().state, "containers", id, file);
const inspect = async (name: string, format: string) =>
  (await host().ok(["inspect", "-f", format, name])).trim();

/** A container that writes a line and ends with `status` each time. */
async function starts(name: string, policy: string, status = 1, then = ""): Promise<string> {
  const script = `echo started; ${then} exit ${status}`;
  return (
    await host().ok(["run", "-d", "--name", name, "--restart", policy, image, "sh", "-c", script])
  ).trim();
}

const lines = (id: string) => {
  const path = join(host().root, "containers", id, `${id}-json.log`);
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
};

const monitorOf = (id: string) => Number(/^monitor (\d+)/m.exec(readFileSync(state(id, "pid"), "utf8"))?.[1]);

test("on-failure:2 starts it twice more, and its last status stays", async () => {
  const id = await starts("flaky", "on-failure:2", 3);
  await until("it is over", async () => (await statusOf(host(), "flaky")) === "exited");
  expect(lines(id)).toBe(3);
  expect(await inspect("flaky", "{{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}")).toBe(
    "3 on-failure",
  );
  await host().ok(["rm", "flaky"]);
});

test("on-failure leaves one that ended well, and 'no' leaves every one", async () => {
  for (const [policy, status] of [
    ["on-failure", 0],
    ["no", 1],
  ] as const) {
    const id = await starts("calm", policy, status);
    await until("it is concluded", () => !existsSync(state(id, "lock")));
    expect([policy, lines(id), await statusOf(host(), "calm")]).toEqual([policy, 1, "exited"]);
    await host().ok(["rm", "calm"]);
  }
});

test("while it waits it is restarting; stop ends that, and it stays down", async () => {
  const id = await starts("always", "always", 0);
  await until("it waits", () => lines(id) >= 3 && existsSync(state(id, "restarting")));
  await until("it is shown", async () => (await statusOf(host(), "always")) === "restarting");
  expect((await host().ok(["ps", "--format", "{{.Status}}"])).trim()).toStartWith("Restarting (0)");
  expect(Number(await inspect("always", "{{.RestartCount}}"))).toBeGreaterThan(0);
  await host().ok(["stop", "always"]);
  await until("it is concluded", () => !existsSync(state(id, "lock")));
  expect(await statusOf(host(), "always")).toBe("exited");
  await host().ok(["rm", "always"]);
});

test("what is stopped while it runs is not started again", async () => {
  const id = await starts("steady", "unless-stopped", 0, "trap 'exit 4' TERM; sleep 1000 & wait;");
  await until("it runs", () => lines(id) === 1);
  await host().ok(["stop", "steady"]);
  await until("it is concluded", () => !existsSync(state(id, "lock")));
  expect(await inspect("steady", "{{.State.ExitCode}}")).toBe("4");
  await host().ok(["rm", "steady"]);
});

test("the program that died runs again, with the files that it had and in the same container", async () => {
  const id = (
    await host().ok([
      "run",
      "-d",
      "--name",
      "again",
      "--restart=always",
      image,
      "sh",
      "-c",
      "echo x >> /count; sleep 1000",
    ])
  ).trim();
  const written = async () => (await host().rt(["exec", "again", "cat", "/count"])).stdout.length;
  await until("it has written", async () => (await written()) === 2);
  const first = await pidOf(host(), "again");
  process.kill(first, "SIGKILL");
  const second = await until("it runs again", async () => {
    const pid = await pidOf(host(), "again");
    return pid > 0 && pid !== first && (await statusOf(host(), "again")) === "running" ? pid : undefined;
  });
  expect(second).toBeGreaterThan(0);
  await until("it has written again", async () => (await written()) === 4);
  expect(await inspect("again", "{{.Id}} {{.RestartCount}}")).toBe(`${id} 1`);
  await host().ok(["rm", "-f", "again"]);
});

test("rm -f of one that waits, and rm without it", async () => {
  const id = await starts("waiting", "always");
  await until(
    "it waits long enough to be caught",
    () => lines(id) >= 4 && existsSync(state(id, "restarting")),
  );
  const { code, stderr } = await host().rt(["rm", "waiting"]);
  expect(code).toBe(1);
  expect(oneLine(stderr)).toMatch(/cannot remove container "waiting": (container is r|it is just)/);
  await host().ok(["rm", "-f", "waiting"]);
  await until("nothing is left", () => remains(host(), [id]).length === 0);
});

test("kill -9 of a monitor that waits: the next command concludes it, and nothing is left", async () => {
  const id = await starts("killed", "always");
  await until("it waits", () => lines(id) >= 5 && existsSync(state(id, "restarting")));
  process.kill(monitorOf(id), "SIGKILL");
  await until("it is seen", async () => (await statusOf(host(), "killed")) === "exited");
  const count = lines(id);
  expect(existsSync(state(id, "lock"))).toBe(false);
  await Bun.sleep(300);
  expect(lines(id)).toBe(count);
  await host().ok(["rm", "killed"]);
  await until("nothing is left", () => remains(host(), [id]).length === 0);
});

test("kill -9 in whatever moment: it runs, or it is over, and rm leaves nothing", async () => {
  for (let turn = 0; turn < 8; turn++) {
    const id = await starts("any", "always");
    await until("it was started again", () => existsSync(state(id, "pid")) && lines(id) >= 2);
    // The monitor, rt that it has become, or the next monitor: whoever it is at this moment.
    await Bun.sleep(turn * 17);
    try {
      process.kill(monitorOf(id), "SIGKILL");
    } catch {
      // It has just handed on.
    }
    expect((await host().rt(["ps", "-a"])).code).toBe(0);
    await host().ok(["rm", "-f", "any"]);
    await until("nothing is left", () => remains(host(), [id]).length === 0);
  }
}, 240_000);

test("a foreground run has the first end's status, and the container goes on", async () => {
  const { code } = await host().rt([
    "run",
    "--name",
    "front",
    "--restart=always",
    image,
    "sh",
    "-c",
    "exit 5",
  ]);
  expect(code).toBe(5);
  const id = await inspect("front", "{{.Id}}");
  await until(
    "it is started again",
    () => existsSync(state(id, "restarting")) || existsSync(state(id, "pid")),
  );
  await host().ok(["rm", "-f", "front"]);
});

test("contradictions are one line", async () => {
  for (const [flags, why] of [
    [["--rm", "--restart=always"], "conflicting options: cannot specify both --restart and --rm"],
    [["--restart=always:3"], "maximum retry count can only be used with 'on-failure'"],
    [["--restart=on-failure:x"], "maximum retry count must be an integer"],
    [["--restart=sometimes"], "want no, on-failure[:N], always or unless-stopped"],
    [["--stop-timeout=soon"], "want a number of seconds"],
    [["--log-driver=gelf"], "gelf is not there"],
    [["--log-opt=max-size=x"], "max-size"],
  ] as const) {
    const { code, stderr } = await host().rt(["run", "-d", ...flags, image, "true"]);
    expect([flags, code]).toEqual([flags, 125]);
    expect(oneLine(stderr)).toContain(why);
  }
});

test("--stop-timeout is how long stop waits", async () => {
  const script = "trap '' TERM; echo ready; while true; do sleep 1; done";
  const id = (
    await host().ok(["run", "-d", "--name", "deaf", "--stop-timeout=0", image, "sh", "-c", script])
  ).trim();
  await until("it ignores", () => lines(id) === 1);
  const before = performance.now();
  await host().ok(["stop", "deaf"]);
  expect(performance.now() - before).toBeLessThan(5000);
  await until("it is concluded", () => !existsSync(state(id, "lock")));
  expect(await inspect("deaf", "{{.State.ExitCode}} {{.Config.StopTimeout}}")).toBe("137 0");
  await host().ok(["rm", "deaf"]);
});
