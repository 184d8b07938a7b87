import type { SpecResources, SpecThrottle } from "../oci/runtime-spec.ts";
import type { CgroupFile } from "./native/request.ts";

/**
 * What the kernel is told of a container's limits: `linux.resources` of its specification as files of its control group, each
 * controller's by the version of the hierarchy that it is in. In the order in which they are to be written into a new group.
 */
export type LimitFile = CgroupFile;

/** Of the hierarchy that a controller is in; undefined: in none. */
export type VersionOf = (controller: string) => 1 | 2 | undefined;

export function limitFiles(limits: SpecResources, versionOf: VersionOf): LimitFile[] {
  const isOld = (controller: string) => versionOf(controller) === 1;
  const { pids, unified = {} } = limits;
  return [
    ...(isOld("memory") ? oldMemory : newMemory)(limits.memory ?? {}),
    ...(isOld("cpu") ? oldCpu : newCpu)(limits.cpu ?? {}),
    ...cpuset(limits.cpu ?? {}),
    ...(pids ? [file("pids", "--pids-limit", "pids.max", unlimited(pids.limit))] : []),
    ...(isOld("blkio") ? oldBlock : newBlock)(limits.blockIO ?? {}),
    ...hugePages(limits.hugepageLimits ?? [], isOld("hugetlb")),
    ...Object.entries(unified).map(([name, value]) =>
      file(name.slice(0, name.indexOf(".")), "--cgroup-conf", name, value),
    ),
  ];
}

function file(controller: string, flag: string, name: string, value: number | string): LimitFile {
  return { controller, flag, name, value: String(value), instead: null };
}

/** Those that have a value. */
function files(
  controller: string,
  ...rows: (readonly [flag: string, name: string, value: number | string | undefined])[]
): LimitFile[] {
  return rows.flatMap(([flag, name, value]) =>
    value === undefined ? [] : [file(controller, flag, name, value)],
  );
}

/** What v2 calls "max" is below zero elsewhere. */
function unlimited(value: number): number | "max" {
  return value < 0 ? "max" : value;
}

type Memory = NonNullable<SpecResources["memory"]>;

/** The sum with swap is never below the memory: that comes first. */
function oldMemory({ limit, reservation, swap, swappiness, disableOOMKiller }: Memory): LimitFile[] {
  return files(
    "memory",
    ["--memory", "memory.limit_in_bytes", limit],
    ["--memory-swap", "memory.memsw.limit_in_bytes", swap],
    ["--memory-reservation", "memory.soft_limit_in_bytes", reservation],
    ["--memory-swappiness", "memory.swappiness", swappiness],
    ["--oom-kill-disable", "memory.oom_control", disableOOMKiller ? 1 : undefined],
  );
}

/** Swap alone, and not the sum; nobody runs out of both before both are limited. */
function newMemory({ limit, reservation, swap }: Memory): LimitFile[] {
  return files(
    "memory",
    ["--memory-swap", "memory.swap.max", swap === undefined ? undefined : swapAlone(swap, limit ?? 0)],
    ["--memory", "memory.max", limit === undefined ? undefined : unlimited(limit)],
    ["--memory-reservation", "memory.low", reservation],
  );
}

function swapAlone(swap: number, limit: number): number | "max" {
  return swap < 0 ? "max" : Math.max(0, swap - Math.max(0, limit));
}

type Cpu = NonNullable<SpecResources["cpu"]>;

function oldCpu({ shares, quota, period, realtimePeriod, realtimeRuntime }: Cpu): LimitFile[] {
  return files(
    "cpu",
    ["--cpu-rt-period", "cpu.rt_period_us", realtimePeriod],
    ["--cpu-rt-runtime", "cpu.rt_runtime_us", realtimeRuntime],
    ["--cpu-shares", "cpu.shares", shares],
    ["--cpu-period", "cpu.cfs_period_us", period],
    ["--cpu-quota", "cpu.cfs_quota_us", quota],
  );
}

function newCpu({ shares, quota, period }: Cpu): LimitFile[] {
  return files(
    "cpu",
    ["--cpu-shares", "cpu.weight", shares === undefined ? undefined : cpuWeight(shares)],
    ["--cpu-quota", "cpu.max", cpuMax(quota, period)],
  );
}

/** A quota alone leaves the period as it is. */
function cpuMax(quota: number | undefined, period: number | undefined): string | undefined {
  if (period === undefined) return quota === undefined ? undefined : String(unlimited(quota));
  return `${unlimited(quota ?? -1)} ${period}`;
}

/** 2 to 262144 as 1 to 10000, so that 1024 is 100: what each of the two has where nobody says anything. */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

function cpuset({ cpus, mems }: Cpu): LimitFile[] {
  return files("cpuset", ["--cpuset-cpus", "cpuset.cpus", cpus], ["--cpuset-mems", "cpuset.mems", mems]);
}

type Block = NonNullable<SpecResources["blockIO"]>;
type Throttles = Omit<Block, "weight" | "weightDevice">;

const throttles: [keyof Throttles, flag: string, old: string, key: string][] = [
  ["throttleReadBpsDevice", "--device-read-bps", "read_bps_device", "rbps"],
  ["throttleWriteBpsDevice", "--device-write-bps", "write_bps_device", "wbps"],
  ["throttleReadIOPSDevice", "--device-read-iops", "read_iops_device", "riops"],
  ["throttleWriteIOPSDevice", "--device-write-iops", "write_iops_device", "wiops"],
];

function eachThrottle(
  block: Block,
  make: (row: (typeof throttles)[number], each: SpecThrottle) => LimitFile,
) {
  return throttles.flatMap((row) => (block[row[0]] ?? []).map((each) => make(row, each)));
}

/** The scheduler that knows weights has its files under its own name; before Linux 5.0 there was another, without one. */
function oldBlock(block: Block): LimitFile[] {
  const { weight, weightDevice = [] } = block;
  const all = weight === undefined ? [] : [file("blkio", "--blkio-weight", "blkio.bfq.weight", weight)];
  const each = weightDevice.map((device) =>
    file("blkio", "--blkio-weight-device", "blkio.bfq.weight_device", `${numbers(device)} ${device.weight}`),
  );
  return [
    ...[...all, ...each].map((one) => ({
      ...one,
      instead: { name: one.name.replace(".bfq", ""), value: one.value },
    })),
    ...eachThrottle(block, ([, flag, old], device) =>
      file("blkio", flag, `blkio.throttle.${old}`, `${numbers(device)} ${device.rate}`),
    ),
  ];
}

/** Without that scheduler there may be another one that has weights, of another range. */
function newBlock(block: Block): LimitFile[] {
  const { weight, weightDevice = [] } = block;
  const pair = (flag: string, value: number, prefix: string) => ({
    ...file("io", flag, "io.bfq.weight", `${prefix}${value}`),
    instead: { name: "io.weight", value: `${prefix}${ioWeight(value)}` },
  });
  return [
    ...(weight === undefined ? [] : [pair("--blkio-weight", weight, "")]),
    ...weightDevice.map((device) => pair("--blkio-weight-device", device.weight, `${numbers(device)} `)),
    ...eachThrottle(block, ([, flag, , key], device) =>
      file("io", flag, "io.max", `${numbers(device)} ${key}=${device.rate}`),
    ),
  ];
}

/** 10 to 1000 as 1 to 10000. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

function numbers({ major, minor }: { major: number; minor: number }): string {
  return `${major}:${minor}`;
}

/** What is in use, and what is only promised. */
function hugePages(limits: NonNullable<SpecResources["hugepageLimits"]>, isOld: boolean): LimitFile[] {
  const last = isOld ? "limit_in_bytes" : "max";
  return limits.flatMap(({ pageSize, limit }) =>
    ["", "rsvd."].map((kind) =>
      file("hugetlb", "--hugetlb-limit", `hugetlb.${pageSize}.${kind}${last}`, limit),
    ),
  );
}
