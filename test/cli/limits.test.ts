/** Limits on what a container takes of the machine, by their effect: with dist/rt, on cgroup v1 and v2. */
import { expect } from "bun:test";
import { groupCount, groupValue, isUnified, processorTime } from "../support/groups.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, type Running, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

const mib = 1 << 20;
const inspected = async (name: string, format: string) =>
  (await host().ok(["inspect", "-f", format, name])).trim();
const actions = async () =>
  (await host().ok(["events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}"])).split("\n");
/** Holds as much as it says, and waits. */
const holding = (bytes: number) =>
  `x=$(head -c ${bytes} /dev/zero | tr '\\0' x); echo holds; while :; do sleep 1000; done`;
/** More than any limit here. */
const hog = "tail /dev/zero";
const busy = ["sh", "-c", "while :; do :; done"];

test("a hog is killed at --memory, and that is what is told of its end", async () => {
  const { code } = await host().rt([
    "run",
    "--name",
    "hungry",
    "-m",
    "16m",
    image,
    "sh",
    "-c",
    `exec ${hog}`,
  ]);
  expect(code).toBe(137);
  expect(
    await inspected("hungry", "{{.State.OOMKilled}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}"),
  ).toBe(`true ${16 * mib} ${32 * mib}`);
  expect(await host().ok(["why", "hungry"])).toMatch(
    /out of memory: the kernel killed one of its processes; its limit is 16 MiB, the most in use was 1[56]/,
  );
  expect((await actions()).filter((action) => /^(oom|die)$/.test(action)).slice(-2)).toEqual(["oom", "die"]);
  await host().ok(["rm", "hungry"]);
});

test("what is executed in a container counts with it: one process too much, and the others live", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--memory", "16m"]);
  expect((await host().rt(["exec", container.name, "sh", "-c", hog])).code).toBe(137);
  expect(await host().ok(["exec", container.name, "echo", "alive"])).toBe("alive\n");
  expect(groupCount(container, "memoryEvents", "oom_kill")).toBe(1);
  expect((await actions()).includes("oom")).toBe(true);
});

test("a fork bomb stops at --pids-limit, and the host goes on", async () => {
  await using container = await running(host(), ["probe", "bomb"], ["--pids-limit", "40"]);
  await until("the limit", () => groupCount(container, "pidsEvents", "max") > 0);
  expect(groupValue(container, "pidsUsed")).toBe("40");
  expect(await host().ok(["run", "--rm", image, "echo", "fine"])).toBe("fine\n");
  const stats = ["stats", "--no-stream", "--format", "{{.PIDs}}", container.name];
  expect(await host().ok(stats)).toBe("40\n");
  const { stderr, code } = await host().rt(["exec", container.name, "true"]);
  expect(code).toBe(125);
  expect(oneLine(stderr)).toEndWith(
    "as many processes as it may have; rt top shows them, rt update --pids-limit allows more",
  );
});

test("--cpus: in each period no more than its part of a processor", async () => {
  await using container = await running(host(), busy, ["--cpus", "0.05"]);
  expect(await partOfPeriod(container)).toBeLessThan(0.07);
  await host().ok(["update", "--cpus", "0.02", container.name]);
  expect(await partOfPeriod(container)).toBeLessThan(0.04);
});

/** So little that it is stopped on a host with much else to do, too. The processor time of each period in which it had work, in periods: by the kernel's counts alone. */
async function partOfPeriod(container: Running): Promise<number> {
  const periods = () => groupCount(container, "cpuEvents", "nr_periods");
  const throttled = () => groupCount(container, "cpuEvents", "nr_throttled");
  const [first, stopped, used] = [periods(), throttled(), processorTime(container)];
  await until("it was stopped in many periods", () => throttled() - stopped >= 10, 30_000);
  return (processorTime(container) - used) / ((periods() - first) * 100e6);
}

test("--cpu-quota and --cpu-period", async () => {
  await using container = await running(host(), busy, ["--cpu-quota", "5000", "--cpu-period", "100000"]);
  expect(await partOfPeriod(container)).toBeLessThan(0.07);
});

test("--cpu-shares: of two that want the same processor, the one that has more of them gets more", async () => {
  const flags = isUnified ? [] : ["--cpuset-cpus", "0"];
  await using few = await running(host(), busy, [...flags, "-c", "128"]);
  await using many = await running(host(), busy, [...flags, "-c", "2048"]);
  const [before, after] = [processorTime(few), processorTime(many)];
  await until("they have used some time", () => processorTime(many) - after > 4e8, 30_000);
  expect((processorTime(many) - after) / (processorTime(few) - before)).toBeGreaterThan(4);
});

test("what is changed is so at once, whether it runs, stands still, or is still to be started", async () => {
  const start = ["create", "--name", "changes", "-m", "64m", image, "sh", "-c", holding(10 * mib)];
  const id = (await host().ok(start)).trim();
  await host().ok(["update", "-m", "128m", "--memory-swap", "128m", "--pids-limit", "33", "changes"]);
  await host().ok(["start", "changes"]);
  expect([groupValue({ id }, "memory"), groupValue({ id }, "pids")]).toEqual([`${128 * mib}`, "33"]);
  await until("it holds its memory", async () => (await host().ok(["logs", "changes"])) === "holds\n");

  const under = await host().rt(["update", "-m", "8m", "changes"]);
  expect([under.stdout, under.code]).toEqual(["", 1]);
  expect(oneLine(under.stderr)).toMatch(
    /^--memory: unable to set memory limit to 8388608 \(current usage: \d+\)/,
  );
  expect([groupValue({ id }, "memory"), await statusOf(host(), "changes")]).toEqual([
    `${128 * mib}`,
    "running",
  ]);
  expect(await inspected("changes", "{{.HostConfig.Memory}}")).toBe(`${128 * mib}`);

  await host().ok(["pause", "changes"]);
  expect(await host().ok(["update", "-m", "48m", "--pids-limit", "-1", "changes"])).toBe("changes\n");
  expect([groupValue({ id }, "memory"), groupValue({ id }, "pids")]).toEqual([`${48 * mib}`, "max"]);
  expect(
    await inspected("changes", "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}"),
  ).toBe(`${48 * mib} ${128 * mib} -1`);
  expect(await host().ok(["stats", "--no-stream", "--format", "{{.MemUsage}}", "changes"])).toContain(
    "/ 48MiB",
  );
  await host().ok(["kill", "changes"]);
  await until("it is over", async () => (await statusOf(host(), "changes")) === "exited");
  await host().ok(["rm", "changes"]);
});

test("of a change that the kernel refuses in part nothing stays", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--pids-limit", "50"]);
  const bad = await host().rt([
    "update",
    "--pids-limit",
    "40",
    "--cgroup-conf",
    "memory.nosuch=1",
    container.name,
  ]);
  expect(bad.code).toBe(1);
  expect(oneLine(bad.stderr)).toMatch(/^--cgroup-conf: cannot set memory.nosuch of its cgroup to 1: ENOENT/);
  expect(groupValue(container, "pids")).toBe("50");
  expect(await inspected(container.name, "{{.HostConfig.PidsLimit}}")).toBe("50");
});

test("a policy's next start has what was changed before it", async () => {
  const flags = ["--name", "again", "--restart=always", "-m", "64m"];
  const id = (await host().ok(["run", "-d", ...flags, image, "sleep", "1000"])).trim();
  await host().ok(["update", "-m", "32m", "again"]);
  const first = await pidOf(host(), "again");
  process.kill(first, "SIGKILL");
  await until("it runs again", async () => ![0, first].includes(await pidOf(host(), "again")));
  expect(groupValue({ id }, "memory")).toBe(`${32 * mib}`);
  await host().ok(["rm", "-f", "again"]);
});

test("raw files of its group; and what an executed program has is the same group", async () => {
  const [key, value] = isUnified
    ? ["memory.high", `${32 * mib}`]
    : ["memory.soft_limit_in_bytes", `${32 * mib}`];
  const path = `/sys/fs/cgroup/${isUnified ? "" : "memory/"}${key}`;
  await using container = await running(host(), ["sleep", "1000"], ["--cgroup-conf", `${key}=${value}`]);
  expect(await host().ok(["exec", container.name, "cat", path])).toBe(`${value}\n`);
});

test("without a flag there is the usual number of processes, and no other limit", async () => {
  await using container = await running(host());
  expect(groupValue(container, "memory")).toMatch(/^(max|9223372036854771712)$/);
  expect(Number(groupValue(container, "pids"))).toBeGreaterThan(100);
  expect(await inspected(container.name, "{{json .HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}}")).toBe(
    "null 0",
  );
});

test("--kernel-memory is taken and changes nothing", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--kernel-memory", "64m"]);
  expect(groupValue(container, "memory")).toMatch(/^(max|9223372036854771712)$/);
});

test("what contradicts itself or this host: one line, 125, and nothing is made", async () => {
  for (const [flags, text] of [
    [["-m", "5m"], "invalid --memory 5242880: Minimum memory limit allowed is 6MB"],
    [["-m", "64m", "--memory-swap", "32m"], "invalid --memory-swap 33554432: Minimum memoryswap limit"],
    [["--memory-swap", "1g"], "invalid --memory-swap 1073741824: You should always set the Memory limit"],
    [
      ["-m", "64m", "--memory-reservation", "65m"],
      "invalid --memory-reservation 68157440: Minimum memory limit",
    ],
    [["--memory=-1"], 'invalid --memory "-1"'],
    [["--cpus", "999"], "invalid --cpus 999: range of CPUs is from 0.01 to "],
    [["--cpus", "0.001"], "invalid --cpus 0.001: range of CPUs is from 0.01 to "],
    [["--cpus=-1"], "invalid --cpus -1: range of CPUs is from 0.01 to "],
    [
      ["--cpus", "1", "--cpu-quota", "5000"],
      "invalid --cpus 1: Conflicting options: Nano CPUs and CPU Quota",
    ],
    [
      ["--device-read-bps", "/dev/nosuch:1m"],
      'invalid --device-read-bps: "/dev/nosuch": no such file or directory',
    ],
    [
      ["--blkio-weight-device", "/dev/null:10"],
      'invalid --blkio-weight-device: "/dev/null" is not a block device',
    ],
    [["--hugetlb-limit", "3MB:1m"], "--hugetlb-limit"],
    [["--cgroup-conf", "cgroup.procs=1"], "invalid --cgroup-conf"],
    [["--cgroup-conf", "memory.nosuch=1"], "--cgroup-conf: cannot set memory.nosuch of its cgroup to 1: "],
  ] as const) {
    const { stdout, stderr, code } = await host().rt(["run", "--name", "never", ...flags, image, "true"]);
    expect([flags, stdout, code]).toEqual([flags, "", 125]);
    expect(oneLine(stderr)).toContain(text);
  }
  expect(await host().ok(["ps", "-aq"])).toBe("");
});
