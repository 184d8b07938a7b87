/** Containers of an ordinary user, who has a control group delegated, or none: with dist/rt, on whatever hierarchies this host has. */
import { afterAll, expect } from "bun:test";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DelegatedGroup } from "../support/delegated-group.ts";
import { busyboxLayout } from "../support/images.ts";
import { type OrdinaryUser, ordinaryUser } from "../support/ordinary-user.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "setpriv", "newuidmap", "strace"] });

const image = "localhost/layout";
const offline = ["--network", "none"];
const guide = "docs/delegation.md says how to get";
let user: OrdinaryUser;
let group: DelegatedGroup;

beforeAll(async () => {
  user = await ordinaryUser();
  group = DelegatedGroup.make(user.uid);
  const layout = join(user.dir, "layout");
  cpSync(await busyboxLayout(), layout, { recursive: true, dereference: true });
  await user.ok(["pull", "-q", `oci:${layout}`]);
}, 120_000);

afterAll(async () => {
  await user?.[Symbol.asyncDispose]();
  await group?.remove();
});

const wait = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"];
const run = (name: string, more: string[] = [], command = wait) => [
  ...["run", "-d", "--name", name, ...offline, ...more, image, ...command],
];

test("without a group everything works, and nothing is said of that", async () => {
  const { stderr, code } = await user.rt(
    run("plain", [], ["sh", "-c", "setsid sleep 1000 & exec sleep 1001"]),
  );
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(await user.ok(["exec", "plain", "echo", "in it"])).toBe("in it\n");
  await until("both are there", async () =>
    (await user.ok(["top", "plain", "-o", "args"])).includes("sleep 1000"),
  );
  expect(await user.ok(["stats", "--no-stream", "--format", "{{.PIDs}}", "plain"])).toBe("2\n");
  expect(await user.ok(["inspect", "-f", "{{.State.OOMKilled}} {{.State.Status}}", "plain"])).toBe(
    "false running\n",
  );
  await user.ok(["restart", "-t", "0", "plain"]);
  await user.ok(["kill", "plain"]);
  await user.ok(["rm", "plain"]);
  await until("all of it has gone", () => !user.processes().some(({ command }) => command === "sleep"));
});

test("a limit that is asked for is an error that names the flag; none is not", async () => {
  for (const [flag, value] of [
    ["--memory", "64m"],
    ["--cpus", "0.5"],
    ["--pids-limit", "10"],
    ["--cpu-shares", "512"],
    ["--cpuset-cpus", "0"],
    ["--blkio-weight", "100"],
    ["--cgroup-conf", "memory.high=1000000"],
    ["--cgroup-parent", "/elsewhere"],
  ] as const) {
    const { stderr, code } = await user.rt(["run", "--rm", ...offline, flag, value, image, "true"]);
    expect(code).toBe(125);
    expect(oneLine(stderr)).toContain(flag);
    expect(stderr).toContain(guide);
  }
  expect(await user.ok(["run", "--rm", ...offline, "--pids-limit", "-1", image, "echo", "fine"])).toBe(
    "fine\n",
  );
});

test("pause is an error; commit goes on, and says so", async () => {
  await user.ok(run("moving"));
  const { stderr, code } = await user.rt(["pause", "moving"]);
  expect(code).toBe(1);
  expect(oneLine(stderr)).toContain("container moving cannot stand still");
  await user.ok(["rm", "-f", "moving"]);
});

test("a user's command makes and writes nothing in hierarchies that are not his", async () => {
  const trace = join(user.dir, "trace");
  const all = ["strace", "-f", "-qq", "-e", "trace=mkdir,mkdirat,openat,open,rmdir", "-o", trace];
  expect((await user.rt(["run", "--rm", ...offline, image, "true"], { front: all })).code).toBe(0);
  const touched = readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => /"\/sys\/fs\/cgroup/.test(line) && /mkdir|rmdir|O_WRONLY|O_RDWR/.test(line));
  expect(readFileSync(trace, "utf8")).toContain("/proc/self/cgroup");
  expect(touched).toEqual([]);
});

test("what was started with the host's processes beside it ends with its program", async () => {
  const command = ["sh", "-c", "setsid sleep 1234 & exec sleep 1235"];
  await user.ok(run("beside", ["--pid", "host"], command));
  await until(
    "both are there",
    () => user.processes().filter(({ command }) => command === "sleep").length === 2,
  );
  await user.ok(["kill", "beside"]);
  await until("both have gone", () => !user.processes().some(({ command }) => command === "sleep"));
  await user.ok(["rm", "-f", "beside"]);
});

test("in a group that is his: containers have theirs below, exec joins, pause, update's errors, the end", async () => {
  const inIt = { front: group.front };
  const id = (await user.ok(run("counted"), inIt)).trim();
  const own = join(group.directory, "rt", id);
  const pids = () => readFileSync(join(own, "cgroup.procs"), "utf8").trim().split("\n").length;
  await until("both are in it", () => pids() === 2);
  const client = user.spawn(["exec", "counted", "sleep", "1000"], inIt);
  await until("what is executed is in it too", () => pids() === 3);
  // From elsewhere nobody can move a process there.
  const { stderr, code } = await user.rt(["exec", "counted", "true"]);
  expect(code).toBe(125);
  expect(oneLine(stderr)).toContain("join cgroup");
  await user.ok(["pause", "counted"]);
  expect(readFileSync(join(own, "cgroup.events"), "utf8")).toContain("frozen 1");
  expect(await user.ok(["inspect", "-f", "{{.State.Status}}", "counted"])).toBe("paused\n");
  await user.ok(["rm", "-f", "counted"]);
  await client.exited;
  expect(existsSync(own)).toBe(false);
});

test("--cgroup-parent: a group below his, and none of others", async () => {
  const inIt = { front: group.front };
  const below = (await user.ok(run("named", ["--cgroup-parent", `${group.path}/sub`]), inIt)).trim();
  expect(readdirSync(join(group.directory, "sub"))).toContain(below);
  await user.ok(["rm", "-f", "named"]);
  const { stderr, code } = await user.rt(run("named", ["--cgroup-parent", "/elsewhere"]), inIt);
  expect(code).toBe(125);
  expect(oneLine(stderr)).toContain(`--cgroup-parent "/elsewhere"`);
  await user.rt(["rm", "-f", "named"]);
});
