import { Option } from "../command.ts";

/** Limits on what a container takes of the machine, and of its networks, and the devices that it may use: of a new one, and of one that is there. */
export const resourceFlags = {
  bandwidthDown: () =>
    Option.String("--bandwidth-down", {
      description: "`RATE` How fast it receives, as 10mbit (bits per second)",
    }),
  bandwidthUp: () =>
    Option.String("--bandwidth-up", { description: "`RATE` How fast it sends, as 10mbit (bits per second)" }),
  blkioWeight: () =>
    Option.String("--blkio-weight", { description: "`N` Its part of the disks' time, 10 to 1000" }),
  blkioWeightDevices: () =>
    Option.Array("--blkio-weight-device", [], { description: "`DEVICE:N` The same on one disk" }),
  cgroupConf: () =>
    Option.Array("--cgroup-conf", [], {
      description: "`KEY=VALUE` Write a file of its cgroup, as memory.high=1073741824",
    }),
  cpuPeriod: () =>
    Option.String("--cpu-period", { description: "`US` In which --cpu-quota counts (default 100000)" }),
  cpuQuota: () => Option.String("--cpu-quota", { description: "`US` Of processor time in each period" }),
  cpuRtPeriod: () => Option.String("--cpu-rt-period", { description: "`US` The same for real-time threads" }),
  cpuRtRuntime: () =>
    Option.String("--cpu-rt-runtime", { description: "`US` Of real-time threads in each period" }),
  cpuShares: () =>
    Option.String("-c,--cpu-shares", {
      description: "`N` Its part where there is not enough for all (usually 1024)",
    }),
  cpus: () => Option.String("--cpus", { description: "`N` How many processors it may use, as 1.5" }),
  cpusetCpus: () =>
    Option.String("--cpuset-cpus", { description: "`LIST` Processors that it may use, as 0-2,4" }),
  cpusetMems: () =>
    Option.String("--cpuset-mems", { description: "`LIST` Nodes of memory that it may use, as 0,1" }),
  deviceCgroupRules: () =>
    Option.Array("--device-cgroup-rule", [], {
      description: "`RULE` Allow devices that it has or makes, as 'c 189:* rwm'",
    }),
  deviceReadBps: () =>
    Option.Array("--device-read-bps", [], { description: "`DEVICE:SIZE` Read at most so much a second" }),
  deviceReadIops: () =>
    Option.Array("--device-read-iops", [], { description: "`DEVICE:N` Read at most so often a second" }),
  deviceWriteBps: () =>
    Option.Array("--device-write-bps", [], { description: "`DEVICE:SIZE` Write at most so much a second" }),
  deviceWriteIops: () =>
    Option.Array("--device-write-iops", [], { description: "`DEVICE:N` Write at most so often a second" }),
  hugetlbLimits: () =>
    Option.Array("--hugetlb-limit", [], { description: "`PAGES:SIZE` Of huge pages, as 2MB:64m" }),
  kernelMemory: () =>
    Option.String("--kernel-memory", { description: "`SIZE` Ignored: --memory counts it too" }),
  memory: () =>
    Option.String("-m,--memory", { description: "`SIZE` Memory that it may use, as 512m; 6m at least" }),
  memoryReservation: () =>
    Option.String("--memory-reservation", { description: "`SIZE` What it keeps where memory runs short" }),
  memorySwap: () =>
    Option.String("--memory-swap", {
      description: "`SIZE` Memory and swap together, -1 for all (default twice the memory)",
    }),
  memorySwappiness: () =>
    Option.String("--memory-swappiness", { description: "`N` How readily it is swapped out, 0 to 100" }),
  oomKillDisable: () =>
    Option.Boolean("--oom-kill-disable", false, { description: "It waits, and is not killed, for memory" }),
  pidsLimit: () =>
    Option.String("--pids-limit", {
      description: "`N` Processes and threads, -1 for no limit (default 4096)",
    }),
};
