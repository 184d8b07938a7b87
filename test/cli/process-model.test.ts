/** Every container has a monitor: it outlives its client, and its own death is seen and cleaned up. */
import { expect } from "bun:test";
import { existsSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { TestHost } from "../support/host.ts";
import { isOfNetwork, leaksSince, openDescriptors, snapshotHost } from "../support/leaks.ts";
import { until } from "../support/wait.ts";
import {
  containerId,
  containerTests,
  image,
  nothingLeft,
  pidOf,
  remains,
  running,
  statusOf,
} from "./world.ts";

const { test, host } = containerTests();

/** The monitor's pid, from its own file. */
function monitorOf(world: TestHost, id: string): number {
  const text = readFileSync(join(world.state, "containers", id, "pid"), "utf8");
  return Number(/^monitor (\d+)/m.exec(text)![1]);
}

function alive(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return stat !== "" && !/\) Z /.test(stat);
}

test("kill -9 of the client: the container runs on, and every command works on it", async () => {
  await using container = await running(host(), ["sh", "-c", "while :; do sleep 0.1; done"]);
  container.client.kill("SIGKILL");
  expect(await container.client.exited).toBe(137);
  expect(await statusOf(host(), container.name)).toBe("running");
  expect(await host().ok(["exec", container.name, "echo", "still here"])).toBe("still here\n");
  expect(alive(await pidOf(host(), container.name))).toBe(true);
  expect(await host().ok(["kill", container.name])).toBe(`${container.name}\n`);
  await until("it is over", async () => (await statusOf(host(), container.name)) === "exited");
  expect((await host().ok(["inspect", "-f", "{{.State.ExitCode}}", container.name])).trim()).toBe("137");
});

test("attach after the client was killed: input, output, exit status", async () => {
  const first = host().pty(["run", "-it", "--name", "left", image, "cat"]);
  const id = await containerId(host(), "left");
  first.type("once\r");
  await first.screen.waitFor("once\r\nonce");
  first.kill("SIGKILL");
  await first.exited;
  await using attached = host().pty(["attach", "left"]);
  attached.type("over again\r");
  await attached.screen.waitFor("over again\r\nover again");
  attached.type("\x04");
  expect(await attached.exited).toBe(0);
  await first[Symbol.asyncDispose]();
  await host().ok(["rm", "left"]);
  await nothingLeft(host(), [id]);
});

test("a program with -i but without -t sees the end of its input when its client is killed", async () => {
  await using container = await running(host(), ["sh", "-c", "cat; sleep 0.1; exit 6"], ["-i"]);
  container.client.kill("SIGKILL");
  await until("it is over", async () => (await statusOf(host(), container.name)) === "exited");
  expect((await host().ok(["inspect", "-f", "{{.State.ExitCode}}", container.name])).trim()).toBe("6");
});

test("output that nobody reads does not stop the program", async () => {
  await using container = await running(host(), ["sh", "-c", "probe spew 10000000; touch /done; sleep 1000"]);
  container.client.kill("SIGKILL");
  await until(
    "it has written all",
    async () => (await host().rt(["exec", container.name, "ls", "/done"])).code === 0,
  );
});

for (const user of ["root", "app"]) {
  test(`kill -9 of the monitor: the container of ${user} dies with it, and is cleaned up`, async () => {
    await using container = await running(host(), ["sh", "-c", "sleep 1000 & sleep 1000"], ["-u", user]);
    const pid = await pidOf(host(), container.name);
    process.kill(monitorOf(host(), container.id), "SIGKILL");
    expect(await container.client.exited).toBe(137);
    expect(container.client.stderr.text).toMatch(
      /^rt: the monitor of container .* was killed, and the container with it\n$/,
    );
    expect(await statusOf(host(), container.name)).toBe("exited");
    await until("its processes are gone", () => !alive(pid));
    expect((await host().ok(["inspect", "-f", "{{.State.ExitCode}}", container.name])).trim()).toBe("137");
    expect(remains(host(), [container.id]).filter((path) => path.includes("cgroup"))).toEqual([]);
    expect(await host().ok(["rm", container.name])).toBe(`${container.name}\n`);
    await nothingLeft(host(), [container.id]);
  });
}

test("kill -9 of client and monitor at once: the next command puts it right", async () => {
  await using container = await running(host());
  const pid = await pidOf(host(), container.name);
  process.kill(monitorOf(host(), container.id), "SIGKILL");
  container.client.kill("SIGKILL");
  await container.client.exited;
  await until("its program is gone", () => !alive(pid));
  expect(await statusOf(host(), container.name)).toBe("exited");
  expect((await host().rt(["exec", container.name, "true"])).code).toBe(1);
});

test("--rm whose client was killed is gone after its end and the next command", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--rm"]);
  container.client.kill("SIGKILL");
  await container.client.exited;
  expect(await statusOf(host(), container.name)).toBe("running");
  await host().ok(["kill", container.name]);
  await until("it is gone", async () => (await statusOf(host(), container.name)) === "");
  await nothingLeft(host(), [container.id]);
});

test("--rm whose client and monitor were killed is gone with the next command", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--rm"]);
  const pid = await pidOf(host(), container.name);
  process.kill(monitorOf(host(), container.id), "SIGKILL");
  container.client.kill("SIGKILL");
  await container.client.exited;
  await until("its program is gone", () => !alive(pid));
  expect(await host().ok(["ps", "-aq"])).toBe("");
  await nothingLeft(host(), [container.id]);
});

test("an ended container's processes are all gone, also those that ignore signals", async () => {
  const script = "for i in 1 2 3; do (trap '' TERM HUP INT; sleep 1000) & done; echo up; read x";
  await using container = await running(host(), ["sh", "-c", script], ["-i", "--rm"]);
  await container.client.stdout.waitFor("up");
  const inside = (await host().ok(["exec", container.name, "ps"]))
    .split("\n")
    .filter((line) => /sleep 1000$/.test(line)).length;
  expect(inside).toBe(3);
  container.client.closeStdin();
  await container.client.exited;
  await nothingLeft(host(), [container.id]);
});

test("the monitor: no descriptor of the client's, its own session, less than 0.5 MB", async () => {
  await using container = await running(host());
  const monitor = monitorOf(host(), container.id);
  const status = readFileSync(`/proc/${monitor}/status`, "utf8");
  const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]);
  expect(resident).toBeGreaterThan(0);
  expect(resident).toBeLessThanOrEqual(512);
  const open = openDescriptors(monitor).map((line) => line.split(" ").slice(1).join(" "));
  expect(open.filter((target) => /db\.sqlite|librt|\/dev\/(tty|pts)|\.bun/.test(target))).toEqual([]);
  expect(readFileSync(`/proc/${monitor}/environ`, "utf8")).toBe("");
  const session = readFileSync(`/proc/${monitor}/stat`, "utf8").split(") ")[1]!.split(" ")[3];
  expect(session).toBe(`${monitor}`);
  // Nor does it grow with what passes through it.
  await host().ok(["exec", container.name, "true"]);
  expect(readFileSync(`/proc/${monitor}/status`, "utf8")).toContain("Threads:\t1\n");
});

test("the monitor's memory does not grow with what passes through it", async () => {
  await using container = await running(host(), ["cat"], ["-i"]);
  container.client.write(new Uint8Array(16 << 20));
  await until("all came back", () => container.client.stdout.text.length === 16 << 20);
  const status = readFileSync(`/proc/${monitorOf(host(), container.id)}/status`, "utf8");
  expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1])).toBeLessThanOrEqual(512);
});

test("the program sees neither monitor nor client: it is alone in its pid namespace", async () => {
  const names = (await host().ok(["run", "--rm", image, "ls", "/proc"]))
    .split("\n")
    .filter((name) => /^\d+$/.test(name));
  expect(names).toEqual(["1"]);
});

test("twenty at once all end with 0 and leave nothing", async () => {
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      host().rt(["run", "--rm", image, "echo", `${index}`], { timeoutMs: 60_000 }),
    ),
  );
  for (const [index, { stdout, stderr, code }] of results.entries())
    expect([index, stdout, stderr, code]).toEqual([index, `${index}\n`, "", 0]);
  await nothingLeft(host());
});

test("twenty at once of one name: one wins, the others are told", async () => {
  const results = await Promise.all(
    Array.from({ length: 20 }, () =>
      host().rt(["run", "--name", "one", image, "true"], { timeoutMs: 60_000 }),
    ),
  );
  expect(results.filter(({ code }) => code === 0)).toHaveLength(1);
  for (const { stderr, code } of results.filter((each) => each.code !== 0))
    expect([code, stderr]).toEqual([
      125,
      expect.stringMatching(
        /^rt: Conflict\. The container name "\/one" is already in use by container "[0-9a-f]{64}"\./,
      ),
    ]);
  expect(await host().ok(["rm", "one"])).toBe("one\n");
});

test("a hundred runs leave no mount, cgroup, process, file or descriptor", async () => {
  await host().ok(["run", "--rm", image, "true"]); // its network stays
  const before = snapshotHost([host().state, join(host().root, "snapshots"), host().env.TMPDIR!, "/run"]);
  const ids: string[] = [];
  for (let from = 0; from < 100; from += 4) {
    const hostnames = await Promise.all(
      Array.from({ length: 4 }, () => host().ok(["run", "--rm", image, "hostname"])),
    );
    ids.push(...hostnames.map((name) => name.trim()));
  }
  expect(new Set(ids).size).toBe(100);
  const ours = (what: string) =>
    isOfNetwork(what) || what.includes(host().dir) || ids.some((id) => what.includes(id));
  await until("nothing of them is left", () => leaksSince(before, ours).length === 0).catch(() => {
    expect(leaksSince(before, ours)).toEqual([]);
  });
});

test("a container that is stopped by a client's death before its start leaves nothing", async () => {
  // Killed at many moments of its first milliseconds: whatever state that is, the next command ends it.
  for (let round = 0; round < 20; round++) {
    const client = host().spawn(["run", "--rm", "--name", `early-${round}`, image, "sleep", "1000"]);
    await Bun.sleep(round);
    client.kill("SIGKILL");
    await client.exited;
  }
  await until("all have begun, or never will", async () => {
    const rows = (await host().ok(["ps", "-a", "--format", "{{.State}}"])).trim().split("\n");
    return rows.every((state) => state === "running" || state === "");
  });
  const rows = (await host().ok(["ps", "-q"])).trim();
  if (rows !== "") await host().ok(["rm", "-f", ...rows.split("\n")]);
  // A directory without a row may belong to a run that is just beginning: only an old one is rubbish.
  const longAgo = new Date(Date.now() - 60_000);
  for (const path of remains(host())) utimesSync(path, longAgo, longAgo);
  await nothingLeft(host());
});

test("another host sees none of them", async () => {
  await using container = await running(host());
  const elsewhere = {
    env: { RT_STATE: join(host().dir, "other-state"), RT_ROOT: join(host().dir, "other-root") },
  };
  expect(await host().ok(["ps", "-aq"], elsewhere)).toBe("");
  expect(await containerId(host(), container.name)).toBe(container.id);
});
