/**
 * kill -9 right before every call that changes anything, of every process that takes part in a container's life: the client,
 * the monitor, the stage that becomes the program, what unpacks and copies, what the monitor becomes (support/crash-at.ts).
 * After each: nothing that was acknowledged is lost, what is there can be used, and with the next command nothing is left.
 *
 * How many points there are is counted first. RT_CRASH_POINTS: so many of each role, evenly spaced, or "all", which takes
 * half an hour; RT_CRASH_ONLY: names of scenarios, between commas.
 */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busyboxHost, image, remains } from "../cli/world.ts";
import type { TestHost } from "../support/host.ts";
import { cgroupDirectories, processesOf } from "../support/leaks.ts";
import { cannotTrace, needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";

const { test } = needs({
  root: true,
  tools: ["busybox", "tar"],
  also: cannotTrace,
});

const perRole = process.env.RT_CRASH_POINTS === "all" ? Infinity : Number(process.env.RT_CRASH_POINTS || 2);
const only = process.env.RT_CRASH_ONLY?.split(",");
const tracer = join(import.meta.dir, "../support/crash-at.ts");

type Role = "client" | "monitor" | "stage" | "layer" | "successor";

interface Scenario {
  name: string;
  /** What is killed, each in turn. */
  roles: readonly Role[];
  /** Before: `sample` may be made here. */
  prepare?: (host: TestHost) => Promise<unknown>;
  command: (host: TestHost) => readonly string[];
  /** Followed until all processes of it have ended, and not just the client. */
  whole?: boolean;
  /** What it was for is there (after a success), and what else is to be looked at. */
  check?: (host: TestHost, done: boolean) => Promise<unknown>;
}

const hangs_ms = 20_000;
const sample = "sample";
const loop = ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.02; done"];
const make =
  (...words: string[]) =>
  (host: TestHost) =>
    host.ok([...words]);
const runs = (host: TestHost) => host.ok(["run", "-d", "--name", sample, image, ...loop]);

const scenarios: Scenario[] = [
  {
    name: "create",
    roles: ["client", "layer"],
    command: () => ["create", "--name", sample, "-v", "/etc", image, ...loop],
  },
  {
    name: "start",
    roles: ["client", "monitor", "stage"],
    prepare: make("create", "--name", sample, image, ...loop),
    command: () => ["start", sample],
  },
  {
    name: "run -d",
    roles: ["client", "monitor", "stage", "layer"],
    command: () => ["run", "-d", "--name", sample, "-v", "/etc", "-v", "named:/data", image, ...loop],
  },
  {
    name: "run to its end",
    roles: ["client", "monitor"],
    command: () => ["run", "--name", sample, image, "sh", "-c", "echo it runs; exit 3"],
    whole: true,
  },
  {
    name: "exit",
    roles: ["monitor", "successor"],
    command: () => ["run", "-d", "--name", sample, image, "sh", "-c", "sleep 0.05; exit 3"],
    whole: true,
  },
  {
    name: "exit with --rm",
    roles: ["monitor", "successor"],
    command: () => [
      "run",
      "-d",
      "--rm",
      "--name",
      sample,
      "-v",
      "/etc",
      image,
      "sh",
      "-c",
      "sleep 0.05; exit 3",
    ],
    whole: true,
  },
  {
    name: "restart by policy",
    roles: ["monitor", "successor", "stage"],
    command: () => ["run", "-d", "--restart", "on-failure:1", "--name", sample, image, "false"],
    whole: true,
  },
  { name: "stop", roles: ["client"], prepare: runs, command: () => ["stop", sample] },
  {
    name: "restart",
    roles: ["client", "monitor", "stage"],
    prepare: runs,
    command: () => ["restart", sample],
  },
  {
    name: "exec",
    roles: ["client", "monitor", "stage"],
    prepare: runs,
    command: () => ["exec", sample, "true"],
    check: async (host) => {
      expect(await host.ok(["exec", sample, "echo", "it runs"])).toBe("it runs\n");
    },
  },
  {
    name: "cp into",
    roles: ["client", "layer"],
    prepare: async (host) => {
      tree(host);
      await host.ok(["create", "--name", sample, image, ...loop]);
    },
    command: (host) => ["cp", join(host.dir, "tree"), `${sample}:/tmp`],
    check: (host) => host.ok(["cp", join(host.dir, "tree"), `${sample}:/tmp`]),
  },
  {
    name: "cp from",
    roles: ["client", "layer"],
    prepare: make("create", "--name", sample, image, ...loop),
    command: (host) => ["cp", `${sample}:/etc`, join(host.dir, "tmp/copy")],
    check: (host) => host.ok(["cp", `${sample}:/etc`, join(host.dir, "tmp")]),
  },
  {
    name: "rm",
    roles: ["client", "layer"],
    prepare: make("create", "--name", sample, "-v", "/etc", image, ...loop),
    command: () => ["rm", "-v", sample],
  },
  { name: "rm -f", roles: ["client"], prepare: runs, command: () => ["rm", "-f", "-v", sample] },
  { name: "rename", roles: ["client"], prepare: runs, command: () => ["rename", sample, "sample-2"] },
  {
    name: "pause",
    roles: ["client"],
    prepare: runs,
    command: () => ["pause", sample],
    check: async (host) => {
      if ((await rows(host)).get(sample)?.state === "paused") await host.ok(["unpause", sample]);
    },
  },
  {
    name: "update",
    roles: ["client"],
    prepare: runs,
    command: () => ["update", "--restart", "on-failure:2", sample],
  },
  {
    name: "commit",
    roles: ["client", "layer"],
    prepare: make("run", "--name", sample, image, "sh", "-c", "echo it runs >/said"),
    command: () => ["commit", sample, "committed:1"],
    check: async (host, done) => {
      const { code } = await host.rt(["inspect", "--type", "image", "committed:1"]);
      if (done) expect(code).toBe(0);
      if (code !== 0) await host.ok(["commit", sample, "committed:1"]);
      expect(await host.ok(["run", "--rm", "committed:1", "cat", "/said"])).toBe("it runs\n");
      await host.ok(["rmi", "committed:1"]);
    },
  },
  {
    name: "volume create",
    roles: ["client"],
    command: () => ["volume", "create", "named"],
    check: async (host, done) => {
      if (done) await host.ok(["volume", "inspect", "named"]);
      await host.ok(["run", "--rm", "-v", "named:/data", image, "touch", "/data/file"]);
    },
  },
  {
    name: "volume rm",
    roles: ["client"],
    prepare: make("volume", "create", "named"),
    command: () => ["volume", "rm", "named"],
    check: async (host, done) => {
      const { code } = await host.rt(["volume", "inspect", "named"]);
      if (done) expect(code).toBe(1);
      await host.ok(["run", "--rm", "-v", "named:/data", image, "touch", "/data/file"]);
    },
  },
  {
    name: "run with a volume's own file system",
    roles: ["client", "layer", "stage", "successor"],
    prepare: make("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "own"),
    command: () => {
      const mounts = [
        "-v",
        "own:/etc",
        "-v",
        "over:/o:O",
        "--mount",
        `type=image,src=${image},dst=/i,rw=true`,
      ];
      return ["run", "-d", "--rm", "--name", sample, ...mounts, image, "sh", "-c", "sleep 0.05; exit 3"];
    },
    whole: true,
  },
  {
    name: "cp into a volume's own file system",
    roles: ["client", "layer"],
    prepare: async (host) => {
      tree(host);
      await host.ok(["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "own"]);
      await host.ok(["create", "--name", sample, "-v", "own:/etc", image, ...loop]);
    },
    command: (host) => ["cp", join(host.dir, "tree"), `${sample}:/etc`],
  },
  {
    name: "log rotation",
    roles: ["monitor"],
    command: () => {
      const limits = ["--log-opt", "max-size=4k", "--log-opt", "max-file=3"];
      const script = "n=0; while [ $n -lt 200 ]; do n=$((n+1)); echo line $n; done; sleep 0.05; exit 3";
      return ["run", "-d", "--name", sample, ...limits, image, "sh", "-c", script];
    },
    whole: true,
    check: async (host) => {
      if (!(await rows(host)).has(sample)) return;
      const lines = (await host.ok(["logs", sample])).trim().split("\n").filter(Boolean);
      const numbers = lines.map((line) => Number(/^line (\d+)$/.exec(line)?.[1]));
      // All of them and in their order, from wherever the oldest file that is kept begins.
      for (const [index, number] of numbers.entries()) expect(number).toBe(numbers[0]! + index);
    },
  },
];

for (const scenario of scenarios) {
  if (only && !only.includes(scenario.name)) continue;
  test(
    `kill -9 at each step of ${scenario.name}`,
    async () => {
      await using host = await busyboxHost();
      await host.rt(["run", "--name", "witness", "-v", "kept:/kept", image, "sh", "-c", "echo seen; exit 7"]);
      const counted = await killedAt(host, scenario, "-", 0);
      const known = new Set(scenario.roles.map((role) => [role, counted.calls.get(role) ?? 0] as const));
      for (const [role, count] of known) {
        if (role !== "layer") expect([role, count]).not.toEqual([role, 0]);
        for (const index of spaced(count)) {
          try {
            await killedAt(host, scenario, role, index);
          } catch (error) {
            const trace = readFileSync(join(host.dir, "trace"), "utf8");
            const line = trace.split("\n").find((each) => each.startsWith(`${role} ${index} `));
            if (process.env.RT_CRASH_POINTS !== "all") throw new Error(`${line}: ${(error as Error).stack}`);
            failures.push(`${scenario.name}: ${line}: ${(error as Error).message}`);
            console.error(failures.at(-1));
            await host.rt(["rm", "-f", "-v", sample, "sample-2"]);
          }
        }
      }
      expect(failures).toEqual([]);
    },
    perRole === Infinity ? 3_600_000 : 120_000,
  );
}

const failures: string[] = [];

/** Of 1 … count; with what comes last, which is the acknowledgement. */
function spaced(count: number): number[] {
  const wanted = Math.min(count, perRole);
  return Array.from({ length: wanted }, (_, index) => Math.ceil(((index + 1) * count) / wanted));
}

interface Killed {
  /** How many there are of each role. */
  calls: Map<string, number>;
}

async function killedAt(host: TestHost, scenario: Scenario, role: string, index: number): Promise<Killed> {
  await scenario.prepare?.(host);
  const trace = join(host.dir, "trace");
  const follow = scenario.whole ? "all" : "client";
  const words = [process.execPath, tracer, trace, follow, role, `${index}`, rtBinary];
  const child = Bun.spawn([...words, ...scenario.command(host)], {
    env: host.env,
    stdout: "pipe",
    stderr: "pipe",
  });
  // A client that hears nothing of the end of its monitor would be waited for without end.
  const late = setTimeout(() => {
    for (const { pid } of processesOf(host.dir)) process.kill(pid, "SIGKILL");
  }, hangs_ms);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearTimeout(late);
  const text = readFileSync(trace, "utf8");
  const calls = new Map<string, number>();
  for (const [, name, number] of text.matchAll(/^(\w+) (\d+) /gm)) calls.set(name!, Number(number));
  if (role === "-" && code !== 0 && code !== 3) throw new Error(`${code} ${stderr}`);
  expect(stderr).toMatch(/^(rt: [^\n]*\n)*$/);
  const done = code === 0 && role === "client";
  const isNamed = stdout.trim() !== "" && ["create", "run -d"].includes(scenario.name);
  await judge(host, scenario, text, done, isNamed || code === 0);
  return { calls };
}

async function judge(
  host: TestHost,
  scenario: Scenario,
  trace: string,
  done: boolean,
  acknowledged: boolean,
) {
  const first = await host.rt(["ps", "-a"]);
  expect([first.code, first.stderr.replace(/^(rt: [^\n]*\n)*$/, "")]).toEqual([0, ""]);
  checkDatabase(host);
  const ids = new Set(trace.match(/\b[0-9a-f]{64}\b/g));
  const found = await until("it is settled", async () => {
    const now = await rows(host);
    return [...now.values()].every(({ state }) => state !== "restarting") ? now : undefined;
  });
  for (const { id } of found.values()) ids.add(id);
  expect(found.get("witness")?.state).toBe("exited");
  ids.delete(found.get("witness")!.id);
  found.delete("witness");
  expect(await host.ok(["logs", "witness"])).toBe("seen\n");
  if (["create", "run -d"].includes(scenario.name) && acknowledged)
    expect([...found.keys()]).toEqual([sample]);
  if (["start", "stop", "restart", "exec", "rename", "pause", "update"].includes(scenario.name))
    expect(found.size).toBe(1);
  await scenario.check?.(host, done);
  const after = await rows(host);
  for (const name of found.keys()) {
    const row = after.get(name);
    if (!row) continue;
    if (row.state === "running") expect(programs(host).length).toBeGreaterThan(0);
    else await until("no program of it lives", () => programs(host).length === 0);
    if (row.state !== "running") await host.ok(["start", name]);
    await host.ok(["rm", "-f", "-v", name]);
  }
  age(host);
  await host.ok(["ps"]);
  await host.ok(["volume", "prune", "-a", "-f"]);
  if (scenario.name === "commit") await host.ok(["image", "prune", "-f"]);
  try {
    await until("nothing is left", () => leftovers(host, ids).length === 0, 3_000);
  } catch {
    expect(leftovers(host, ids)).toEqual([]);
  }
}

/** The processes of containers. */
function programs(host: TestHost) {
  return processesOf(host.dir).filter(
    ({ command }) => !command.includes("rt-monitor") && !/^rt /.test(command),
  );
}

async function rows(host: TestHost): Promise<Map<string, { id: string; state: string }>> {
  const text = await host.ok(["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}"]);
  const lines = text.trim().split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [id = "", name = "", state = ""] = line.split(" ");
      return [name, { id, state }];
    }),
  );
}

function checkDatabase(host: TestHost): void {
  using database = new Database(join(host.root, "db.sqlite"));
  expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect(database.query("PRAGMA foreign_key_check").all()).toEqual([]);
  const events = join(host.state, "events");
  for (const name of existsSync(events) ? readdirSync(events) : []) {
    const lines = readFileSync(join(events, name), "utf8").split("\n").filter(Boolean);
    for (const line of lines) JSON.parse(line);
  }
}

/** What a killed client has begun is its own for ten seconds, and what it has taken in of an image for a day: let those be over. */
function age(host: TestHost): void {
  for (const [place, seconds] of [
    [join(host.state, "containers"), 60],
    [join(host.root, "content/ingest"), 2 * 24 * 3600],
  ] as const) {
    const before = Date.now() / 1000 - seconds;
    for (const name of existsSync(place) ? readdirSync(place) : [])
      utimesSync(join(place, name), before, before);
  }
}

function leftovers(host: TestHost, ids: ReadonlySet<string>): string[] {
  const below = (path: string) => (existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []);
  const drivers = below(join(host.root, "snapshots"));
  const witness =
    below(join(host.root, "containers")).length === 1 ? [] : below(join(host.root, "containers"));
  return [
    ...remains(host).filter((path) => !/snapshots\/\w+\/active\/\w+$/.test(path)),
    ...drivers.flatMap((driver) => {
      const active = below(join(driver, "active"));
      return active.length === 1 ? [] : active;
    }),
    ...drivers.flatMap((driver) => below(join(driver, "tmp"))),
    ...witness,
    ...below(join(host.root, "volumes")).filter((path) => !path.endsWith("/kept")),
    ...below(join(host.root, "content/ingest")),
    ...cgroupDirectories().filter((path) => [...ids].some((id) => path.includes(id))),
    ...processesOf(host.dir).map(({ pid, command }) => `process ${pid} ${command}`),
  ];
}

function tree(host: TestHost): void {
  const top = join(host.dir, "tree");
  if (existsSync(top) && statSync(top).isDirectory()) return;
  for (const directory of ["a", "b/c"]) {
    mkdirSync(join(top, directory), { recursive: true });
    writeFileSync(join(top, directory, "file"), "content\n".repeat(1000));
  }
}
