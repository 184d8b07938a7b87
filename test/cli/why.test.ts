/** `rt why`: what a person is told of a container's end, with dist/rt. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, statusOf } from "./world.ts";

const { test, host } = containerTests();

const over = (name: string) => until("it is over", async () => (await statusOf(host(), name)) === "exited");
const inspected = async (name: string, format: string) =>
  (await host().ok(["inspect", "-f", format, name])).trim();

test("a status of the program's own, with its last lines; one that runs says so in a line", async () => {
  await host().rt([
    "run",
    "--name",
    "failed",
    image,
    "sh",
    "-c",
    "seq 1 9; printf '\\033[31mred' >&2; exit 3",
  ]);
  const said = await host().ok(["why", "failed"]);
  expect(said.split("\n")).toEqual([
    expect.stringMatching(/^failed ended .* with status 3: the program's own failure$/),
    "  its last lines:",
    ..."    6|    7|    8|    9|    \\u001b[31mred|".split("|"),
  ]);
  const { status, exitCode, lastLines } = JSON.parse(
    await host().ok(["container", "why", "-f", "json", "failed"]),
  );
  expect([status, exitCode, lastLines.length]).toEqual(["exited", 3, 5]);
  await host().ok(["run", "-d", "--name", "up", image, "sleep", "1000"]);
  expect(await host().ok(["why", "up"])).toMatch(/^up runs, for [^\n]*\n$/);
  await host().ok(["rm", "-f", "failed", "up"]);
});

test("who sent the signal: kill, stop, the end of stop's patience, somebody else", async () => {
  const start = async () => {
    await host().ok(["run", "-d", "--name", "ended", image, "sleep", "1000"]);
  };
  await start();
  await host().ok(["kill", "ended"]);
  await over("ended");
  expect(await host().ok(["why", "ended"])).toMatch(/ 137: ended by SIGKILL\n {2}rt kill sent it SIGKILL\n$/);
  await host().ok(["start", "ended"]);
  // Process 1 of a namespace hears only of what it has asked for.
  await host().ok(["stop", "-t", "0", "ended"]);
  expect(await host().ok(["why", "ended"])).toMatch(
    /\n {2}rt stop sent it SIGTERM, which did not end it within 0 s, and then SIGKILL\n$/,
  );
  await host().ok(["start", "ended"]);
  process.kill(await pidOf(host(), "ended"), "SIGKILL");
  await over("ended");
  expect(await host().ok(["why", "ended"])).toMatch(
    /\n {2}rt did not send it: another process did, of the host or of the container\n$/,
  );
  await host().ok(["rm", "ended"]);
});

test("a start that fails, and what is no longer there", async () => {
  await host().ok(["create", "--name", "none", image, "/nosuch"]);
  expect((await host().rt(["start", "none"])).code).toBe(1);
  expect(await host().ok(["why", "none"])).toMatch(
    /^none could not be started\n {2}cannot start container none: exec: "\/nosuch": [^\n]+\n$/,
  );
  const source = join(host().dir, "goes");
  mkdirSync(source);
  await host().ok(["run", "--name", "bound", "-v", `${source}:/in`, image, "true"]);
  rmdirSync(source);
  const gone = `${source}, which belongs at /in in it, is not there any more`;
  expect(await host().ok(["why", "bound"])).toContain(`  ${gone}\n`);
  expect((await host().rt(["start", "bound"])).code).not.toBe(0);
  expect(await host().ok(["why", "bound"])).toMatch(/^bound could not be started again\n {2}cannot start/);
  await host().ok(["rm", "none", "bound"]);
});

test("want of memory: OOMKilled, the event, the limit and the peak; until it is started again", async () => {
  const script = "while ! test -e /go; do sleep 0.02; done; rm /go; exec tail /dev/zero";
  const id = (await host().ok(["run", "-d", "--name", "hungry", image, "sh", "-c", script])).trim();
  const [v1, v2] = ["/sys/fs/cgroup/memory/rt", "/sys/fs/cgroup/rt"].map((group) => join(group, id));
  const limits = [join(v1!, "memory.limit_in_bytes"), join(v2!, "memory.max")];
  writeFileSync(limits.find((file) => existsSync(file))!, String(16 << 20));
  await host().ok(["exec", "hungry", "touch", "/go"]);
  await over("hungry");
  expect(await inspected("hungry", "{{.State.OOMKilled}} {{.State.ExitCode}}")).toBe("true 137");
  expect(await host().ok(["why", "hungry"])).toMatch(
    /: ended by SIGKILL\n {2}out of memory: the kernel killed one of its processes; its limit is 16 MiB, the most in use was 1[56]/,
  );
  const events = await host().ok(["events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}"]);
  expect(
    events
      .split("\n")
      .filter((action) => /^(oom|die)$/.test(action))
      .slice(-2),
  ).toEqual(["oom", "die"]);
  await host().ok(["start", "hungry"]);
  expect(await inspected("hungry", "{{.State.OOMKilled}}")).toBe("false");
  await host().ok(["rm", "-f", "hungry"]);
});

test("its restarts are counted beyond its end, until it is started by hand", async () => {
  const argv = [
    "--name",
    "tries",
    "--restart=on-failure:2",
    image,
    "sh",
    "-c",
    "test -e /good && exec sleep 1000; exit 4",
  ];
  await host().ok(["run", "-d", ...argv]);
  await over("tries");
  expect(await inspected("tries", "{{.RestartCount}}")).toBe("2");
  expect(await host().ok(["why", "tries"])).toContain(
    "  its restart policy is on-failure:2: it was started again 2 times, and that was the last\n",
  );
  const good = join(host().dir, "good");
  writeFileSync(good, "");
  await host().ok(["cp", good, "tries:/good"]);
  await host().ok(["start", "tries"]);
  expect(await inspected("tries", "{{.RestartCount}}")).toBe("0");
  await host().ok(["rm", "-f", "tries"]);
});

test("kill of one that waits to be started again makes it stay down", async () => {
  await host().ok(["run", "-d", "--name", "often", "--restart=always", image, "sh", "-c", "exit 3"]);
  await until("it waits", async () => (await statusOf(host(), "often")) === "restarting");
  expect(await host().ok(["kill", "-s", "HUP", "often"])).toBe("often\n");
  await until("it waits", async () => (await statusOf(host(), "often")) === "restarting");
  expect(await host().ok(["kill", "often"])).toBe("often\n");
  await over("often");
  expect(await host().ok(["why", "often"])).toContain(
    "its restart policy is always, and it stays down because it was told to end: rt start begins anew\n",
  );
  await host().ok(["rm", "often"]);
});

test("one that is not there", async () => {
  const { stdout, stderr, code } = await host().rt(["why", "nosuch"]);
  expect([stdout, oneLine(stderr), code]).toEqual(["", "No such container: nosuch", 1]);
});
