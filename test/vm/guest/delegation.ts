/** What an ordinary user can limit on cgroup v2, in a group that is delegated to him. Run in the second kernel by ../delegation.test.ts. */
import { afterAll, expect } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { image, oneLine } from "../../cli/world.ts";
import { DelegatedGroup } from "../../support/delegated-group.ts";
import { busyboxLayout } from "../../support/images.ts";
import { type OrdinaryUser, ordinaryUser } from "../../support/ordinary-user.ts";
import { needs } from "../../support/root.ts";
import { until } from "../../support/wait.ts";
import { restoreDatabases, writableDatabases } from "./databases.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "setpriv", "newuidmap"] });

const mib = 1 << 20;
const offline = ["--network", "none"];
let user: OrdinaryUser;
let group: DelegatedGroup;

beforeAll(async () => {
  await writableDatabases();
  user = await ordinaryUser();
  group = DelegatedGroup.make(user.uid);
  const layout = join(user.dir, "layout");
  cpSync(await busyboxLayout(), layout, { recursive: true, dereference: true });
  await user.ok(["pull", "-q", `oci:${layout}`]);
}, 120_000);

afterAll(async () => {
  await user?.[Symbol.asyncDispose]();
  await group?.remove();
  await restoreDatabases();
});

const inIt = () => ({ front: group.front });
const start = (name: string, more: string[], command = ["sleep", "1000"]) =>
  user.ok(["run", "-d", "--name", name, ...offline, ...more, image, ...command], inIt());
const read = (id: string, file: string) =>
  readFileSync(join(group.directory, "rt", id.trim(), file), "utf8").trim();
const remove = (name: string) => user.ok(["rm", "-f", name], inIt());

test("limits are what the kernel has, and update changes them", async () => {
  const id = await start("limited", [
    "-m",
    "64m",
    "--memory-swap",
    "64m",
    "--cpus",
    "0.5",
    "--pids-limit",
    "20",
  ]);
  expect(read(id, "memory.max")).toBe(`${64 * mib}`);
  expect(read(id, "cpu.max")).toBe("50000 100000");
  expect(read(id, "pids.max")).toBe("20");
  await user.ok(["update", "-m", "96m", "--memory-swap", "96m", "limited"], inIt());
  expect(read(id, "memory.max")).toBe(`${96 * mib}`);
  const stats = await user.ok(["stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "limited"]);
  expect(stats).toMatch(/ \/ 96MiB 1\n$/);
  await user.ok(["pause", "limited"]);
  expect(read(id, "cgroup.events")).toContain("frozen 1");
  await user.ok(["unpause", "limited"]);
  await remove("limited");
});

test("a hog is killed at --memory, and that is what is told of its end; a fork bomb stops at --pids-limit", async () => {
  const hog = ["run", "--name", "hungry", ...offline, "-m", "16m", image, "tail", "/dev/zero"];
  expect((await user.rt(hog, inIt())).code).toBe(137);
  expect(await user.ok(["inspect", "-f", "{{.State.OOMKilled}}", "hungry"])).toBe("true\n");
  await remove("hungry");
  const id = await start("bomb", ["--pids-limit", "20"], ["probe", "bomb"]);
  await until("the limit", () => /max [1-9]/.test(read(id, "pids.events")));
  await remove("bomb");
});

test("in a shell of his own in the group: what is in it goes to a leaf where a limit is asked for", async () => {
  const shell = Bun.spawn([...group.front, ...user.as(["sleep", "1000"])], { env: user.env });
  const place = () => readFileSync(`/proc/${shell.pid}/cgroup`, "utf8").trim();
  await until("it is there", () => place() === `0::${group.path}` || place() === `0::${group.path}/init`);
  const id = await start("beside", ["--pids-limit", "30"]);
  expect(read(id, "pids.max")).toBe("30");
  expect(place()).toBe(`0::${group.path}/init`);
  await remove("beside");
  shell.kill("SIGKILL");
  await shell.exited;
});

test("with memory and pids alone the others are an error in one line, and what is not asked for is not missed", async () => {
  const part = DelegatedGroup.make(user.uid, ["memory", "pids"]);
  try {
    const there = { front: part.front };
    const limited = ["run", "--rm", ...offline, "-m", "64m", "--pids-limit", "9", image, "echo", "fine"];
    expect(await user.rt(limited, there)).toMatchObject({ stdout: "fine\n", stderr: "", code: 0 });
    for (const [flag, value, controller] of [
      ["--cpus", "0.5", "cpu"],
      ["--blkio-weight", "100", "io"],
      ["--cgroup-conf", "cpu.idle=1", "cpu"],
    ] as const) {
      const { stderr, code } = await user.rt(["run", "--rm", ...offline, flag, value, image, "true"], there);
      expect(code).toBe(125);
      expect(oneLine(stderr)).toContain(
        `${flag}: the cgroup controller ${controller} is not delegated to you: ${part.path} has only memory, pids`,
      );
    }
  } finally {
    await part.remove();
  }
});

test("what a container may not do to its own limits", async () => {
  const script =
    "for f in /sys/fs/cgroup/*; do [ -f $f ] && echo 1 >$f; done 2>/dev/null; cat /sys/fs/cgroup/pids.max";
  const limited = ["run", "--rm", ...offline, "--pids-limit", "9", image, "sh", "-c", script];
  expect(await user.ok(limited, inIt())).toBe("9\n");
});
