import { describe, expect, test } from "bun:test";
import { parseSize } from "../../../src/cli/parse/size.ts";
import { changedResources, checkResources, parseProcessors } from "../../../src/settings/resource-checks.ts";
import { parseResources, type ResourceWords } from "../../../src/settings/resource-words.ts";
import { fieldOf, flagOf, type Resources, resourceNames } from "../../../src/settings/resources.ts";

const parse = (words: ResourceWords) => checkResources(parseResources(words, parseSize));

const mib = 1 << 20;

test.each<[ResourceWords, Resources]>([
  [{}, {}],
  [
    {
      memory: "0",
      memorySwap: "0",
      cpus: "0",
      cpuShares: "0",
      cpuQuota: "0",
      cpusetCpus: "",
      blkioWeight: "0",
    },
    {},
  ],
  [{ memory: "6m" }, { memory: 6 * mib }],
  [
    { memory: "1.5g", memorySwap: "2GiB" },
    { memory: 1536 * mib, memorySwap: 2048 * mib },
  ],
  [
    { memory: "8388608b", memorySwap: "-1" },
    { memory: 8 * mib, memorySwap: -1 },
  ],
  [{ memorySwap: "-1" }, { memorySwap: -1 }],
  [
    { memory: "64m", memoryReservation: "64m" },
    { memory: 64 * mib, memoryReservation: 64 * mib },
  ],
  [{ memorySwappiness: "0" }, { memorySwappiness: 0 }],
  [{ memorySwappiness: "-1" }, {}],
  [{ oomKillDisable: true }, { oomKillDisable: true }],
  [{ oomKillDisable: false }, {}],
  [{ cpus: "1.5" }, { nanoCpus: 1.5e9 }],
  [{ cpus: ".000000001" }, { nanoCpus: 1 }],
  [{ cpus: "2.5000000000000" }, { nanoCpus: 2.5e9 }],
  [{ cpus: "-1" }, { nanoCpus: -1e9 }],
  [
    { cpuPeriod: "50000", cpuQuota: "25000" },
    { cpuPeriod: 50000, cpuQuota: 25000 },
  ],
  [{ cpuQuota: "-1" }, { cpuQuota: -1 }],
  [{ cpuShares: "2" }, { cpuShares: 2 }],
  [
    { cpuRtPeriod: "1000000", cpuRtRuntime: "950000" },
    { cpuRealtimePeriod: 1e6, cpuRealtimeRuntime: 950_000 },
  ],
  [
    { cpusetCpus: "0-2,7", cpusetMems: "0" },
    { cpusetCpus: "0-2,7", cpusetMems: "0" },
  ],
  [{ pidsLimit: "100" }, { pidsLimit: 100 }],
  [{ pidsLimit: "-1" }, { pidsLimit: -1 }],
  [{ pidsLimit: "0" }, { pidsLimit: -1 }],
  [{ blkioWeight: "10" }, { blkioWeight: 10 }],
  [
    { blkioWeightDevices: ["/dev/sda:10", "/dev/sdb:20", "/dev/sda:1000"] },
    {
      blkioWeightDevice: [
        { path: "/dev/sda", weight: 1000 },
        { path: "/dev/sdb", weight: 20 },
      ],
    },
  ],
  [
    { deviceReadBps: ["/dev/disk/by-id/a:b:1mb"] },
    { deviceReadBps: [{ path: "/dev/disk/by-id/a:b", rate: mib }] },
  ],
  [{ deviceWriteIops: ["/dev/sda:7"] }, { deviceWriteIops: [{ path: "/dev/sda", rate: 7 }] }],
  [
    { hugetlbLimits: ["2MB:64m", "1g:0", "2097152:1m"] },
    {
      hugetlb: [
        { size: "2MB", limit: 64 * mib },
        { size: "1GB", limit: 0 },
        { size: "2MB", limit: mib },
      ],
    },
  ],
  [
    { cgroupConf: ["memory.high=1=2", "memory.high=max", "cgroup.max.descendants=3"] },
    { cgroupConf: { "memory.high": "max", "cgroup.max.descendants": "3" } },
  ],
])("%j", (words, wanted) => {
  expect(parse(words)).toEqual(wanted);
});

describe("what cannot be is told in one line that names the flag", () => {
  test.each<[ResourceWords, string]>([
    [{ memory: "lots" }, "--memory "],
    [{ memory: "-1" }, "--memory "],
    [{ memory: "1e9" }, "--memory "],
    [{ memory: "9999999999p" }, "--memory "],
    [{ memory: "6291455" }, "Minimum memory limit allowed is 6MB"],
    [
      { memory: "64m", memorySwap: "32m" },
      "--memory-swap 33554432: Minimum memoryswap limit should be larger",
    ],
    [{ memorySwap: "32m" }, "--memory-swap 33554432: You should always set the Memory limit"],
    [{ memorySwap: "-2" }, "--memory-swap "],
    [
      { memory: "64m", memoryReservation: "65m" },
      "--memory-reservation 68157440: Minimum memory limit can not be",
    ],
    [{ memoryReservation: "1m" }, "Minimum memory reservation allowed is 6MB"],
    [{ memorySwappiness: "101" }, "--memory-swappiness 101: valid memory swappiness range is 0-100"],
    [{ memorySwappiness: "-2" }, "--memory-swappiness -2: valid memory swappiness range is 0-100"],
    [{ memorySwappiness: "x" }, "--memory-swappiness "],
    [{ cpus: "1", cpuPeriod: "100000" }, "--cpus 1: Conflicting options: Nano CPUs and CPU Period"],
    [{ cpus: "1", cpuQuota: "100000" }, "Nano CPUs and CPU Quota cannot both be set"],
    [{ cpus: "1.0000000001" }, '--cpus "1.0000000001": value is too precise'],
    [{ cpus: "." }, "--cpus "],
    [{ cpus: "1e3" }, "--cpus "],
    [{ cpus: "9".repeat(400) }, "--cpus "],
    [{ cpuPeriod: "999" }, "CPU cfs period can not be less than 1ms (i.e. 1000)"],
    [{ cpuPeriod: "1000001" }, "CPU cfs period"],
    [{ cpuPeriod: "-1" }, '--cpu-period "-1": value must be a positive integer'],
    [{ cpuQuota: "999" }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
    [{ cpuQuota: "-2" }, "--cpu-quota -2"],
    [{ cpuQuota: "1.5" }, "--cpu-quota "],
    [{ cpuShares: "1" }, "the minimum allowed cpu-shares is 2"],
    [{ cpuShares: "262145" }, "the maximum allowed cpu-shares is 262144"],
    [{ cpuShares: "-5" }, "--cpu-shares "],
    [
      { cpuRtPeriod: "1000", cpuRtRuntime: "1001" },
      "--cpu-rt-runtime 1001: cpu real-time runtime cannot be higher",
    ],
    [{ cpuRtRuntime: "2000000" }, "--cpu-rt-runtime "],
    [{ cpusetCpus: "0-" }, '--cpuset-cpus "0-": Invalid value for cpuset cpus'],
    [{ cpusetCpus: "3-1" }, "--cpuset-cpus "],
    [{ cpusetCpus: "0,,1" }, "--cpuset-cpus "],
    [{ cpusetCpus: "0-99999" }, "--cpuset-cpus "],
    [{ cpusetMems: "a" }, "--cpuset-mems "],
    [{ pidsLimit: "-2" }, "--pids-limit -2"],
    [{ pidsLimit: "many" }, "--pids-limit "],
    [{ blkioWeight: "9" }, "--blkio-weight 9: Range of blkio weight is from 10 to 1000"],
    [{ blkioWeight: "1001" }, "--blkio-weight 1001"],
    [{ blkioWeightDevices: ["/dev/sda"] }, "--blkio-weight-device "],
    [{ blkioWeightDevices: ["/dev/sda:5"] }, 'invalid weight for device: "/dev/sda:5"'],
    [{ blkioWeightDevices: ["sda:50"] }, "--blkio-weight-device: bad format for device path"],
    [{ deviceReadBps: ["/dev/sda:0"] }, "--device-read-bps "],
    [{ deviceReadBps: [":1m"] }, "--device-read-bps "],
    [{ deviceWriteIops: ["/dev/sda:1m"] }, "--device-write-iops "],
    [{ deviceWriteIops: ["/dev/sda:-1"] }, "--device-write-iops "],
    [{ hugetlbLimits: ["64m"] }, "--hugetlb-limit "],
    [{ hugetlbLimits: ["3:64m"] }, "--hugetlb-limit"],
    [{ cgroupConf: ["memory.high"] }, "--cgroup-conf "],
    [{ cgroupConf: ["../memory.high=1"] }, "--cgroup-conf "],
    [{ cgroupConf: ["tasks=1"] }, "--cgroup-conf "],
    [{ cgroupConf: ["cgroup.procs=1"] }, "cgroup.procs is the engine's own"],
    [{ cgroupConf: ["devices.allow=a"] }, "devices.allow is the engine's own"],
    [{ cgroupConf: ["memory.high=1\n2"] }, "has a control character"],
  ])("%j", (words, message) => {
    const failure = (() => {
      try {
        return parse(words);
      } catch (error) {
        return error as Error;
      }
    })();
    expect(failure).toMatchObject({ code: "invalid-argument", exitCode: 125 });
    expect((failure as Error).message).toContain(message);
    expect((failure as Error).message).toMatch(/^invalid --[a-z-]+[ :][^\n]+$/);
  });
});

test("of a change only what contradicts the whole is wrong", () => {
  const change = (now: Resources, asked: Resources) => {
    checkResources(asked, { isChange: true });
    return changedResources(now, asked);
  };
  expect(change({ memory: 64 * mib, memorySwap: 128 * mib }, { memorySwap: 256 * mib })).toEqual({
    ...{ memory: 64 * mib, memorySwap: 256 * mib },
  });
  expect(change({ memory: 64 * mib, memorySwap: -1 }, { memory: 512 * mib })).toMatchObject({
    memory: 512 * mib,
  });
  const rates = (...list: [string, number][]) => list.map(([path, rate]) => ({ path, rate }));
  expect(
    change(
      { deviceReadBps: rates(["/dev/a", 1], ["/dev/b", 2]), cgroupConf: { "memory.high": "1" } },
      { deviceReadBps: rates(["/dev/a", 9]), cgroupConf: { "memory.min": "2" } },
    ),
  ).toEqual({
    deviceReadBps: rates(["/dev/a", 9], ["/dev/b", 2]),
    cgroupConf: { "memory.high": "1", "memory.min": "2" },
  });
  for (const [now, asked, message] of [
    [
      { memory: 64 * mib, memorySwap: 128 * mib },
      { memory: 256 * mib },
      "update the memoryswap at the same time",
    ],
    [{ memory: 64 * mib, memorySwap: 128 * mib }, { memorySwap: 32 * mib }, "--memory-swap"],
    [{ memory: 64 * mib }, { memoryReservation: 65 * mib }, "--memory-reservation"],
    [{ memoryReservation: 65 * mib }, { memory: 64 * mib }, "memory reservation limit"],
    [{ nanoCpus: 1e9 }, { cpuQuota: 5000 }, "CPU Quota cannot be updated as NanoCPUs has already been set"],
    [{ nanoCpus: 1e9 }, { cpuPeriod: 5000 }, "CPU Period cannot be updated as NanoCPUs has already been set"],
    [{ cpuQuota: 5000 }, { nanoCpus: 1e9 }, "Nano CPUs cannot be updated as CPU Quota has already been set"],
    [
      { cpuPeriod: 5000 },
      { nanoCpus: 1e9 },
      "Nano CPUs cannot be updated as CPU Period has already been set",
    ],
    [{}, { memorySwap: 64 * mib }, "You should always set the Memory limit"],
  ] as [Resources, Resources, string][])
    expect(() => change(now, asked)).toThrow(message);
});

test("a document's words name its fields", () => {
  expect(() => checkResources({ memory: 1 }, { naming: fieldOf })).toThrow("invalid HostConfig.Memory 1: ");
  expect(new Set(resourceNames.map(flagOf)).size).toBe(resourceNames.length);
});

test("lists of processors", () => {
  expect(parseProcessors("0-2,1,5")).toEqual([0, 1, 2, 5]);
  for (const bad of ["", "-1", "1-", "0-1-2", "a", "1 ", "8192", "000000001"])
    expect(parseProcessors(bad)).toBeUndefined();
});
