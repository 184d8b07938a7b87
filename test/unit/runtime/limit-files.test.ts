import { expect, test } from "bun:test";
import type { SpecResources } from "../../../src/oci/runtime-spec.ts";
import { cpuWeight, ioWeight, limitFiles, type VersionOf } from "../../../src/runtime/limit-files.ts";

const v1: VersionOf = () => 1;
const v2: VersionOf = (controller) => (controller === "blkio" ? undefined : 2);

function written(limits: Omit<SpecResources, "devices">, versionOf: VersionOf): string[] {
  return limitFiles({ devices: [], ...limits }, versionOf).map(
    ({ controller, name, value, instead }) =>
      `${controller}: ${name}=${value}${instead ? ` or ${instead.name}=${instead.value}` : ""}`,
  );
}

const all: Omit<SpecResources, "devices"> = {
  memory: { limit: 1000, swap: 1500, reservation: 500, swappiness: 7, disableOOMKiller: true },
  cpu: {
    ...{ shares: 512, quota: 5000, period: 10000, cpus: "0-1", mems: "0" },
    ...{ realtimePeriod: 100, realtimeRuntime: 50 },
  },
  pids: { limit: 9 },
  blockIO: {
    weight: 10,
    weightDevice: [{ major: 8, minor: 0, weight: 1000 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }],
    throttleWriteBpsDevice: [{ major: 8, minor: 16, rate: 2 }],
    throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 3 }],
    throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 4 }],
  },
  hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
  unified: { "memory.high": "900" },
};

test("every limit on v1", () => {
  expect(written(all, v1)).toEqual([
    "memory: memory.limit_in_bytes=1000",
    "memory: memory.memsw.limit_in_bytes=1500",
    "memory: memory.soft_limit_in_bytes=500",
    "memory: memory.swappiness=7",
    "memory: memory.oom_control=1",
    "cpu: cpu.rt_period_us=100",
    "cpu: cpu.rt_runtime_us=50",
    "cpu: cpu.shares=512",
    "cpu: cpu.cfs_period_us=10000",
    "cpu: cpu.cfs_quota_us=5000",
    "cpuset: cpuset.cpus=0-1",
    "cpuset: cpuset.mems=0",
    "pids: pids.max=9",
    "blkio: blkio.bfq.weight=10 or blkio.weight=10",
    "blkio: blkio.bfq.weight_device=8:0 1000 or blkio.weight_device=8:0 1000",
    "blkio: blkio.throttle.read_bps_device=8:0 1",
    "blkio: blkio.throttle.write_bps_device=8:16 2",
    "blkio: blkio.throttle.read_iops_device=8:0 3",
    "blkio: blkio.throttle.write_iops_device=8:0 4",
    "hugetlb: hugetlb.2MB.limit_in_bytes=0",
    "hugetlb: hugetlb.2MB.rsvd.limit_in_bytes=0",
    "memory: memory.high=900",
  ]);
});

test("every limit that v2 has", () => {
  expect(written(all, v2)).toEqual([
    "memory: memory.swap.max=500",
    "memory: memory.max=1000",
    "memory: memory.low=500",
    "cpu: cpu.weight=59",
    "cpu: cpu.max=5000 10000",
    "cpuset: cpuset.cpus=0-1",
    "cpuset: cpuset.mems=0",
    "pids: pids.max=9",
    "io: io.bfq.weight=10 or io.weight=1",
    "io: io.bfq.weight=8:0 1000 or io.weight=8:0 10000",
    "io: io.max=8:0 rbps=1",
    "io: io.max=8:16 wbps=2",
    "io: io.max=8:0 riops=3",
    "io: io.max=8:0 wiops=4",
    "hugetlb: hugetlb.2MB.max=0",
    "hugetlb: hugetlb.2MB.rsvd.max=0",
    "memory: memory.high=900",
  ]);
});

test("on a host with both, each controller by the version of its own hierarchy", () => {
  const hybrid: VersionOf = (controller) => (controller === "hugetlb" ? 2 : 1);
  expect(written({ pids: { limit: 1 }, hugepageLimits: all.hugepageLimits! }, hybrid)).toEqual([
    "pids: pids.max=1",
    "hugetlb: hugetlb.2MB.max=0",
    "hugetlb: hugetlb.2MB.rsvd.max=0",
  ]);
});

test("no limit: max on v2, -1 on v1", () => {
  const none = { memory: { limit: 1000, swap: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } };
  expect(written(none, v2)).toEqual([
    "memory: memory.swap.max=max",
    "memory: memory.max=1000",
    "cpu: cpu.max=max",
    "pids: pids.max=max",
  ]);
  expect(written(none, v1)).toEqual([
    "memory: memory.limit_in_bytes=1000",
    "memory: memory.memsw.limit_in_bytes=-1",
    "cpu: cpu.cfs_quota_us=-1",
    "pids: pids.max=max",
  ]);
  expect(written({ memory: { limit: 1000, swap: 1000 } }, v2)[0]).toBe("memory: memory.swap.max=0");
  expect(written({ cpu: { period: 5000 } }, v2)).toEqual(["cpu: cpu.max=max 5000"]);
  expect(written({}, v1)).toEqual([]);
});

test("shares and weights, as others convert them", () => {
  const shares = [2, 100, 256, 512, 1024, 2048, 262143, 262144];
  expect(shares.map(cpuWeight)).toEqual([1, 17, 35, 59, 100, 174, 10000, 10000]);
  expect([10, 500, 1000].map(ioWeight)).toEqual([1, 4950, 10000]);
});
