import { flag, type Infer, integer, listOf, mapOf, natural, object, optional, text } from "../base/shape.ts";

/**
 * What a container may take of the machine. A field that is absent is no limit of its own; where Docker's documents have a zero
 * the field is absent. The kernel's files that these become are runtime/limit-files.ts's to say.
 */

/** A block device's node on the host, and bytes or operations a second. */
const deviceRate = object({ path: text, rate: natural });
export type DeviceRate = Infer<typeof deviceRate>;

const deviceWeight = object({ path: text, weight: natural });
export type DeviceWeight = Infer<typeof deviceWeight>;

/** Pages of one size ("2MB"), and how many bytes in them. */
const hugetlbLimit = object({ size: text, limit: natural });
export type HugetlbLimit = Infer<typeof hugetlbLimit>;

const fields = {
  /** Bytes. */
  memory: optional(natural),
  /** What it keeps where memory runs short: bytes. */
  memoryReservation: optional(natural),
  /** Memory and swap together: bytes, -1 for all the swap that there is. */
  memorySwap: optional(integer),
  /** 0 to 100. */
  memorySwappiness: optional(natural),
  /** Where its memory is full it waits, and is not killed. */
  oomKillDisable: optional(flag),
  /** Billionths of a processor. */
  nanoCpus: optional(integer),
  /** Its part where there is not enough for all: 2 to 262144, 1024 is what each has unless it says something else. */
  cpuShares: optional(natural),
  /** Microseconds of a processor that it has in each period; -1 for all. */
  cpuQuota: optional(integer),
  /** Microseconds. */
  cpuPeriod: optional(natural),
  /** The same for threads with a real-time priority. */
  cpuRealtimePeriod: optional(natural),
  cpuRealtimeRuntime: optional(natural),
  /** "0-2,4" */
  cpusetCpus: optional(text),
  cpusetMems: optional(text),
  /** Processes and threads; -1 for as many as there can be. */
  pidsLimit: optional(integer),
  /** 10 to 1000. */
  blkioWeight: optional(natural),
  blkioWeightDevice: optional(listOf(deviceWeight)),
  deviceReadBps: optional(listOf(deviceRate)),
  deviceWriteBps: optional(listOf(deviceRate)),
  deviceReadIops: optional(listOf(deviceRate)),
  deviceWriteIops: optional(listOf(deviceRate)),
  hugetlb: optional(listOf(hugetlbLimit)),
  /** Files of its cgroup, and what is written to them: "memory.high". */
  cgroupConf: optional(mapOf(text)),
};

export const resources = object(fields);
export type Resources = Infer<typeof resources>;
export type ResourceName = keyof Resources;

export const resourceNames = Object.keys(fields) as ResourceName[];

/** What each is called on the command line, and in Docker's `HostConfig` (undefined: nothing). */
const names: Readonly<Record<ResourceName, readonly [flag: string, field?: string]>> = {
  memory: ["--memory", "Memory"],
  memoryReservation: ["--memory-reservation", "MemoryReservation"],
  memorySwap: ["--memory-swap", "MemorySwap"],
  memorySwappiness: ["--memory-swappiness", "MemorySwappiness"],
  oomKillDisable: ["--oom-kill-disable", "OomKillDisable"],
  nanoCpus: ["--cpus", "NanoCpus"],
  cpuShares: ["--cpu-shares", "CpuShares"],
  cpuQuota: ["--cpu-quota", "CpuQuota"],
  cpuPeriod: ["--cpu-period", "CpuPeriod"],
  cpuRealtimePeriod: ["--cpu-rt-period", "CpuRealtimePeriod"],
  cpuRealtimeRuntime: ["--cpu-rt-runtime", "CpuRealtimeRuntime"],
  cpusetCpus: ["--cpuset-cpus", "CpusetCpus"],
  cpusetMems: ["--cpuset-mems", "CpusetMems"],
  pidsLimit: ["--pids-limit", "PidsLimit"],
  blkioWeight: ["--blkio-weight", "BlkioWeight"],
  blkioWeightDevice: ["--blkio-weight-device", "BlkioWeightDevice"],
  deviceReadBps: ["--device-read-bps", "BlkioDeviceReadBps"],
  deviceWriteBps: ["--device-write-bps", "BlkioDeviceWriteBps"],
  deviceReadIops: ["--device-read-iops", "BlkioDeviceReadIOps"],
  deviceWriteIops: ["--device-write-iops", "BlkioDeviceWriteIOps"],
  hugetlb: ["--hugetlb-limit"],
  cgroupConf: ["--cgroup-conf"],
};

/** How somebody who asks for a limit calls it. */
export type ResourceNaming = (name: ResourceName) => string;

export const flagOf: ResourceNaming = (name) => names[name][0];
export const fieldOf: ResourceNaming = (name) => `HostConfig.${names[name][1] ?? name}`;

/** Nothing is limited but what is for every container. */
export function isUnlimited(asked: Resources): boolean {
  for (const _ in asked) return false;
  return true;
}
