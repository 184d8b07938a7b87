/** Limits that only v1's hierarchies have on the hosts of these tests: disks, sets of processors, swappiness, real-time. */
import { expect } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { containerTests, image, oneLine, running, statusOf } from "../cli/world.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";

const { host } = containerTests();

const hasController = (name: string) => existsSync(join("/sys/fs/cgroup", name, "cgroup.procs"));
const gated = (name: string) =>
  needs({ root: true, also: () => (hasController(name) ? undefined : `the v1 controller ${name}`) }).test;
const value = ({ id }: { id: string }, controller: string, file: string) =>
  readFileSync(join("/sys/fs/cgroup", controller, "rt", id, file), "utf8").trim();
const status = async (name: string, field: string) =>
  (await host().ok(["exec", name, "grep", `^${field}:`, "/proc/self/status"])).trim().split("\t").at(-1);

gated("cpuset")(
  "--cpuset-cpus and --cpuset-mems are what the program may use, and update changes them",
  async () => {
    await using container = await running(
      host(),
      ["sleep", "1000"],
      ["--cpuset-cpus", "0", "--cpuset-mems", "0"],
    );
    expect([
      await status(container.name, "Cpus_allowed_list"),
      await status(container.name, "Mems_allowed_list"),
    ]).toEqual(["0", "0"]);
    const last = String(navigator.hardwareConcurrency - 1);
    await host().ok(["update", "--cpuset-cpus", last, container.name]);
    expect(await status(container.name, "Cpus_allowed_list")).toBe(last);
    for (const [flag, text] of [
      ["--cpuset-cpus", "Requested CPUs are not available - requested 4095, available: "],
      ["--cpuset-mems", "Requested memory nodes are not available - requested 4095, available: "],
    ]) {
      const { stderr, code } = await host().rt(["run", "--rm", flag!, "4095", image, "true"]);
      expect([oneLine(stderr), code]).toEqual([
        expect.stringContaining(`invalid ${flag} "4095": ${text}`),
        125,
      ]);
    }
  },
);

/** The disk that temporary files lie on, whole: limits hold for the files on it. */
function disk(): string {
  const [major, minor] = devices(statSync(tmpdir()).dev);
  const found = `/sys/dev/block/${major}:${minor}`;
  if (!existsSync(found)) throw new Error(`${tmpdir()} is on no disk`);
  const path = realpathSync(found);
  return `/dev/${basename(existsSync(join(path, "partition")) ? dirname(path) : path)}`;
}

/** A file there: scratch may be in memory. */
function onDisk(bytes: number): Disposable & { path: string } {
  const directory = mkdtempSync(join(tmpdir(), "rt-disk-"));
  const path = join(directory, "data");
  writeFileSync(path, Buffer.alloc(bytes, "x"), { flush: true });
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

/** makedev(3), of numbers that are not large. */
function devices(dev: number): [major: number, minor: number] {
  return [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
}

const mib = 1 << 20;

gated("blkio")("--device-read-bps: a second's worth in a second, until it is changed", async () => {
  using file = onDisk(3 * mib);
  const flags = ["-v", `${file.path}:/data:ro`, "--device-read-bps", `${disk()}:1mb`];
  await using container = await running(host(), ["sleep", "1000"], flags);
  const read = async (bytes: number) => {
    const started = performance.now();
    const words = ["if=/data", "of=/dev/null", "iflag=direct", "bs=131072", `count=${bytes / 131072}`];
    await host().ok(["exec", container.name, "dd", ...words]);
    return bytes / ((performance.now() - started) / 1000);
  };
  const slow = await read(3 * mib);
  // What the kernel lets through at once is a part of the first second's.
  expect(slow).toBeLessThan(1.6 * mib);
  await host().ok(["update", "--device-read-bps", `${disk()}:1gb`, container.name]);
  expect(await read(3 * mib)).toBeGreaterThan(slow);
});

gated("blkio")("every limit of a disk is in its group's files", async () => {
  const flags = ["bps:7mb", "iops:70"].flatMap((each) => {
    const [what, rate] = each.split(":");
    return ["read", "write"].flatMap((way) => [`--device-${way}-${what}`, `${disk()}:${rate}`]);
  });
  await using container = await running(host(), ["sleep", "1000"], [...flags, "--blkio-weight", "200"]);
  const numbers = readFileSync(`/sys/block/${disk().slice("/dev/".length)}/dev`, "latin1").trim();
  const throttle = (file: string) => value(container, "blkio", `blkio.throttle.${file}_device`);
  expect(["read_bps", "write_bps", "read_iops", "write_iops"].map(throttle)).toEqual([
    `${numbers} ${7 * mib}`,
    `${numbers} ${7 * mib}`,
    `${numbers} 70`,
    `${numbers} 70`,
  ]);
  expect(value(container, "blkio", "blkio.bfq.weight")).toBe("200");
});

/** Its own code touches what it takes: the kernel, in its place, would be told that there is none. */
const eat = "x=0123456789abcdef; while :; do x=$x$x; done";

gated("memory")(
  "--oom-kill-disable: a hog waits for memory, and can be given some, or be killed",
  async () => {
    const flags = ["-d", "--name", "waits", "-m", "16m", "--oom-kill-disable", "--memory-swappiness", "0"];
    const id = (await host().ok(["run", ...flags, image, "sh", "-c", eat])).trim();
    const waits = () => /^under_oom 1$/m.test(value({ id }, "memory", "memory.oom_control"));
    await until("it waits", waits);
    expect(value({ id }, "memory", "memory.swappiness")).toBe("0");
    await host().ok(["update", "-m", "24m", "waits"]);
    await until(
      "it has taken that too",
      () => Number(value({ id }, "memory", "memory.usage_in_bytes")) > 20 * mib,
    );
    await host().ok(["kill", "waits"]);
    await until("it is over", async () => (await statusOf(host(), "waits")) === "exited");
    await host().ok(["rm", "waits"]);
  },
);

gated("cpu")("real-time: the group above gets what it is to hand on", async () => {
  if (!existsSync("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"))
    throw new Error("this kernel has no real-time groups");
  const flags = ["--cpu-rt-period", "500000", "--cpu-rt-runtime", "1000"];
  await using _ = setBack("/sys/fs/cgroup/cpu/rt/cpu.rt_runtime_us");
  await using container = await running(host(), ["sleep", "1000"], flags);
  expect([value(container, "cpu", "cpu.rt_period_us"), value(container, "cpu", "cpu.rt_runtime_us")]).toEqual(
    ["500000", "1000"],
  );
});

/** The time of all containers' real-time threads is taken from others': not for longer than a test. */
function setBack(path: string): AsyncDisposable {
  const before = existsSync(path) ? readFileSync(path, "latin1") : "0";
  const isSet = () => {
    try {
      writeFileSync(path, before);
      return true;
    } catch {
      return false; // a group below that has been removed counts for a moment yet
    }
  };
  return { [Symbol.asyncDispose]: async () => void (await until("it is as it was", isSet)) };
}

/** `rt` where something was done to the cgroups that it sees. */
async function where(prepare: string, args: readonly string[]) {
  const words = ["-m", "sh", "-c", `${prepare} && exec "$0" "$@"`, rtBinary, ...args];
  const child = Bun.spawn(["unshare", ...words], { env: host().env, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

gated("memory")("a host without a controller: an error where it is asked for, and runs without", async () => {
  const umount = "umount /sys/fs/cgroup/memory";
  const none = await where(umount, ["run", "--name", "never", "-m", "64m", image, "true"]);
  expect([oneLine(none.stderr), none.code]).toEqual([
    "--memory: Your kernel does not support memory limit capabilities or the cgroup is not mounted",
    125,
  ]);
  expect(await host().ok(["ps", "-aq"])).toBe("");
  const plain = await where(umount, ["run", "--rm", image, "echo", "fine"]);
  expect([plain.stdout, plain.stderr, plain.code]).toEqual(["fine\n", "", 0]);
  const info = await where(umount, ["info", "--format", "{{.MemoryLimit}} {{.PidsLimit}} {{.Warnings}}"]);
  expect(info.stdout).toMatch(/^false true .*No memory limit support/);
  expect(await host().ok(["info", "--format", "{{.MemoryLimit}} {{.CpuCfsQuota}} {{.CPUSet}}"])).toBe(
    "true true true\n",
  );
});

gated("memory")("cgroups that can only be read: the same", async () => {
  const readOnly = "mount -o remount,bind,ro /sys/fs/cgroup/memory";
  const none = await where(readOnly, ["run", "--name", "never", "-m", "64m", image, "true"]);
  expect([oneLine(none.stderr), none.code]).toEqual([
    "--memory: the memory cgroups of this host can only be read here",
    125,
  ]);
  const plain = await where(readOnly, ["run", "--rm", image, "echo", "fine"]);
  expect([plain.stdout, plain.code]).toEqual(["fine\n", 0]);
});
