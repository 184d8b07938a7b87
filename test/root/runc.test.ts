/**
 * The lifecycle is compared with runc's on the same generated spec: what a program sees, and how its end is told.
 * The bundle is the config.json that `rt` wrote for a running container, less what Debian's runc 1.1 does not know.
 */
import { afterAll, expect } from "bun:test";
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerId, pidOf } from "../cli/world.ts";
import { run } from "../support/command.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { needs, searchPath } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { accepted } from "./runc-differences.ts";

const { test, beforeAll } = needs({ root: true, tools: ["runc"] });
const image = "embed:hello";
const flags = ["-q", "--hostname", "box", "--storage-driver", "copy"];

/** What runc 1.1 (runtime-spec 1.0.2) cannot be given as it stands, and what stands for it. */
function forRunc(spec: Spec, rootfs: string, id: string, args: readonly string[]): Spec {
  return {
    ...spec,
    // "1.2.0" is refused by none, but says less than is true of a runc that implements 1.0.2.
    ociVersion: "1.0.2",
    root: { ...spec.root, path: rootfs },
    process: { ...spec.process, args: ["/probe", ...args] },
    linux: { ...spec.linux, cgroupsPath: `/rt/${id}` },
  };
}

interface Spec {
  ociVersion: string;
  root: { path: string; readonly: boolean };
  process: { args: readonly string[] } & Record<string, unknown>;
  mounts: { destination: string }[];
  linux: { cgroupsPath: string; maskedPaths: string[]; readonlyPaths: string[] } & Record<string, unknown>;
}

interface Outcome {
  stdout: string;
  code: number;
}

let host: TestHost;
let spec: Spec;
let rootfs: string;
let counter = 0;
const prefix = `runc-test-${process.pid}`;

beforeAll(async () => {
  host = await testHost();
  const client = host.spawn(["run", ...flags, "--name", "model", image, "sleep", "1000"]);
  const id = await containerId(host, "model", client);
  spec = JSON.parse(readFileSync(join(host.state, "containers", id, "config.json"), "utf8"));
  rootfs = join(host.dir, "rootfs");
  mkdirSync(rootfs);
  // What the snapshot has, and nothing of what is mounted in it.
  await run(["cp", "-ax", `/proc/${await pidOf(host, "model")}/root/.`, rootfs]);
}, 240_000);

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
});

function bundle(args: readonly string[], change: (spec: Spec) => Spec = (same) => same) {
  const id = `${prefix}-${counter++}`;
  const dir = join(host.dir, id);
  mkdirSync(dir);
  writeFileSync(join(dir, "config.json"), JSON.stringify(change(forRunc(spec, rootfs, id, args))));
  return { id, dir };
}

function runc(args: readonly string[]) {
  return Bun.spawn(["runc", "--root", join(host.dir, "runc-state"), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: searchPath },
  });
}

async function underRunc(args: readonly string[], change?: (spec: Spec) => Spec): Promise<Outcome> {
  const { id, dir } = bundle(args, change);
  const child = runc(["run", "--bundle", dir, id]);
  const [stdout, code] = await Promise.all([child.stdout.text(), child.exited, child.stderr.text()]);
  return { stdout, code };
}

async function underRt(args: readonly string[]): Promise<Outcome> {
  const { stdout, code } = await host.rt(["run", "--rm", ...flags, image, ...args]);
  return { stdout, code };
}

/** Lines without what differs from run to run: sources of mounts, sizes of directories, the order of a listing. */
function normal(command: string, output: string): string[] {
  const lines = output.split("\n").filter((line) => line !== "");
  return lines
    .map((line) => (command === "mounts" ? mountLine(line) : line.replace(/^(d \d+ \d+ \d+) \d+/, "$1 SIZE")))
    .sort();
}

/** "mount TARGET TYPE FLAGS OPTIONS PROPAGATION"; the root's own options are those of the host's file system. */
function mountLine(line: string): string {
  const [, target, type, given, , superblock, propagation] = line.split(" ");
  const sorted = (options = "") => options.split(",").sort().join(",");
  const own = target === "/" || target!.startsWith("/etc/") ? "" : sorted(superblock);
  return ["mount", target, type, sorted(given), own, propagation].join(" ");
}

/** What one side alone has, except what is accepted. */
async function differences(args: readonly string[]): Promise<string[]> {
  const [ours, theirs] = await Promise.all([underRt(args), underRunc(args)]);
  expect(ours.code).toBe(theirs.code);
  const command = args[0]!;
  const [a, b] = [normal(command, ours.stdout), normal(command, theirs.stdout)];
  expect(b.length).toBeGreaterThan(0);
  const only = (side: "rt" | "runc", lines: string[], others: string[]) =>
    lines
      .filter((line) => !others.includes(line))
      .filter(
        (line) =>
          !accepted.some(
            (each) =>
              each.command === command &&
              (each.side === side || each.side === "both") &&
              each.line.test(line),
          ),
      )
      .map((line) => `only ${side}: ${line}`);
  return [...only("rt", a, b), ...only("runc", b, a)];
}

const seen: readonly (readonly string[])[] = [
  ["mounts"],
  ["caps"],
  ["ids"],
  ["env"],
  ["cwd"],
  ["args", "a b", ""],
  ["rlimits"],
  ["hostname"],
  ["devices"],
  ["cgroup"],
  ["process"],
  ["ls", "/dev"],
  ["ls", "/"],
  ["sysctl", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"],
];

for (const args of seen) {
  test(`a program sees the same of its ${args.join(" ")}`, async () => {
    expect(await differences(args)).toEqual([]);
  });
}

test("masked and read-only paths look the same, and hold the same against writing", async () => {
  const paths = [...spec.linux.maskedPaths, ...spec.linux.readonlyPaths];
  const kinds = async (under: typeof underRt) => {
    const lines: string[] = [];
    for (const path of paths) {
      const [meta, listing] = [await under(["stat", path]), await under(["ls", path])];
      // Never device, inode or time. The tmpfs over a masked directory is 0555 here, 1777 under runc: neither can be written.
      const facts = meta.stdout
        .split("\n")
        .filter((line) => /^(type|mode|uid|gid|rdev|size|error) /.test(line));
      lines.push(
        `${path} ${meta.code} ${facts.join(" ")} ${listing.code}`.replace(
          / mode (0555|1777)(?= uid 0 gid 0 size 40 )/,
          "",
        ),
      );
      if (spec.linux.maskedPaths.includes(path)) lines.push(`${path}: ${listing.stdout}`);
    }
    // Its own UTS namespace's, where it would do no harm.
    const written = await under(["write", "/proc/sys/kernel/domainname", "x"]);
    expect(written.code).not.toBe(0);
    return [...lines, written.stdout];
  };
  const [ours, theirs] = await Promise.all([kinds(underRt), kinds(underRunc)]);
  expect(ours).toEqual(theirs);
});

test("the kinds of namespaces that are the host's are the same", async () => {
  const shared = (output: string) =>
    output
      .split("\n")
      .flatMap((line) => {
        const [, kind, id] = line.split(" ");
        if (kind === undefined || id === undefined || kind.endsWith("_for_children")) return [];
        return `${kind} ${id === linkOf(kind) ? "host" : "own"}`;
      })
      .sort();
  const [ours, theirs] = await Promise.all([underRt(["namespaces"]), underRunc(["namespaces"])]);
  expect(shared(ours.stdout)).toEqual(shared(theirs.stdout));
  expect(shared(ours.stdout)).toContain("pid own");
});

function linkOf(kind: string): string {
  return readlinkSync(`/proc/self/ns/${kind}`);
}

test("both are in the cgroup that cgroupsPath names, in the same hierarchies", async () => {
  await using theirs = await runningInRunc(["sleep", "1000"]);
  const ours = cgroupsOf(await pidOf(host, "model"), spec.linux.cgroupsPath);
  expect(ours.length).toBeGreaterThan(0);
  expect(cgroupsOf(theirs.pid, `/rt/${theirs.id}`)).toEqual(ours);
});

test("the limits of a specification are the same files in both", async () => {
  const limits = [
    ...["-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m", "--memory-swappiness", "10"],
    ...["--cpus", "0.5", "-c", "300", "--cpuset-cpus", "0", "--cpuset-mems", "0", "--pids-limit", "50"],
    ...[
      "--blkio-weight",
      "200",
      "--device-read-bps",
      "/dev/loop0:1mb",
      "--device-write-iops",
      "/dev/loop0:7",
    ],
  ];
  const files = [
    ...["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"],
    ...["memory.swappiness", "memory.oom_control", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares"],
    ...["cpuset.cpus", "cpuset.mems", "pids.max", "blkio.bfq.weight"],
    ...["blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device"],
  ].map((name) => `/sys/fs/cgroup/${name.split(".")[0]}/${name}`);
  const name = `limited-${process.pid}`;
  const client = host.spawn(["run", "--rm", "--name", name, ...flags, ...limits, image, "sleep", "1000"]);
  const id = await containerId(host, name, client);
  const path = join(host.state, "containers", id, "config.json");
  const { resources }: Spec["linux"] = JSON.parse(readFileSync(path, "utf8")).linux;
  const ours = await host.rt(["exec", name, "/probe", "cat", ...files]);
  await host.ok(["kill", name]);
  await client.exited;
  const theirs = await underRunc(["cat", ...files], (same) => ({
    ...same,
    linux: { ...same.linux, resources },
  }));
  expect([ours.code, ours.stdout]).toEqual([0, theirs.stdout]);
  expect(ours.stdout).toContain("67108864\n100663296\n33554432\n10\n");
});

async function runcPid(id: string): Promise<number | undefined> {
  const child = runc(["state", id]);
  const [text, code] = await Promise.all([child.stdout.text(), child.exited, child.stderr.text()]);
  if (code !== 0) return undefined;
  const state: { status: string; pid: number } = JSON.parse(text);
  return state.status === "running" ? state.pid : undefined;
}

/** "controllers:ITS" for each hierarchy where the process is in `path` below our own cgroup or the root. */
function cgroupsOf(pid: number, path: string): string[] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  return lines.map((line) => line.replace(/^\d+:/, "").replace(path, "ITS")).sort();
}

for (const code of [0, 1, 2, 42, 125, 126, 127, 128, 137, 254, 255]) {
  test(`exit ${code} is told alike`, async () => {
    const [ours, theirs] = await Promise.all([underRt(["exit", `${code}`]), underRunc(["exit", `${code}`])]);
    expect([ours.code, theirs.code]).toEqual([code, code]);
  });
}

/** A program under runc, once it runs; disposing of it removes it. */
async function runningInRunc(args: readonly string[]) {
  const { id, dir } = bundle(args);
  const child = runc(["run", "--bundle", dir, id]);
  const pid = await until("runc's program runs", () => runcPid(id));
  return {
    id,
    pid,
    exited: child.exited,
    async [Symbol.asyncDispose]() {
      await runc(["delete", "--force", id]).exited;
      await child.exited;
    },
  };
}

for (const [name, code] of [
  ["KILL", 137],
  ["TERM", 143],
  ["SEGV", 139],
] as const) {
  test(`death by SIG${name} is ${code} of a program that was executed in either`, async () => {
    await using theirs = await runningInRunc(["sleep", "1000"]);
    const ours = await host.rt(["exec", "model", "/probe", "kill-self", name]);
    const other = runc(["exec", theirs.id, "/probe", "kill-self", name]);
    expect([ours.code, await other.exited]).toEqual([code, code]);
  });
}

test("pid 1 without a handler ignores SIGTERM in both, and ends with 137 by SIGKILL", async () => {
  await using theirs = await runningInRunc(["sleep", "1000"]);
  const name = `stubborn-${process.pid}`;
  const client = host.spawn(["run", "--rm", "--name", name, ...flags, image, "sleep", "1000"]);
  await containerId(host, name, client);
  const ours = await pidOf(host, name);
  await host.ok(["kill", "-s", "TERM", name]);
  expect(await runc(["kill", theirs.id, "TERM"]).exited).toBe(0);
  // A signal that were not ignored would be pending or the end of it; both have been delivered when kill returns.
  for (const pid of [ours, theirs.pid]) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^State:\t[SR]/m);
    expect(status).toMatch(/^ShdPnd:\t0+$/m);
  }
  await host.ok(["kill", name]);
  expect(await runc(["kill", theirs.id, "KILL"]).exited).toBe(0);
  expect([await client.exited, await theirs.exited]).toEqual([137, 137]);
});

test("a program that is not found: 127 here, runc's 1 or 127 accepted", async () => {
  const { stderr, code } = await host.rt(["run", "--rm", ...flags, "--entrypoint", "/nothing", image]);
  expect(stderr).toStartWith("rt: ");
  expect(code).toBe(127);
  const missing = (same: Spec) => ({ ...same, process: { ...same.process, args: ["/nothing"] } });
  expect([1, 127]).toContain((await underRunc([], missing)).code);
});
