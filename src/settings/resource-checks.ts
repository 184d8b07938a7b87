import { invalid, quote, rejectControl } from "../base/invalid.ts";
import {
  type DeviceRate,
  flagOf,
  type ResourceName,
  type ResourceNaming,
  type Resources,
} from "./resources.ts";

/** Docker's, for what a container needs to be one. */
const memoryMin = 6 << 20;
/** Microseconds: what the kernel's scheduler takes. */
const [periodMin, periodMax, quotaMin] = [1000, 1_000_000, 1000];
const [sharesMin, sharesMax] = [2, 262144];
/** As the kernel's lists of processors go in Docker. */
const processorMax = 8191;

/**
 * What contradicts itself, or is out of all bounds, whatever host it is for. In Docker's words where it has some.
 * @param naming how whoever asks calls a field: the first of a message's words
 * @param isChange of a container that has limits already: what is not said may be there
 * @returns the same
 * @throws RtError invalid-argument
 */
export function checkResources(
  asked: Resources,
  { naming = flagOf, isChange = false }: { naming?: ResourceNaming; isChange?: boolean } = {},
): Resources {
  const fail = failing(asked, naming);
  checkMemory(asked, isChange, fail);
  checkProcessors(asked, fail);
  checkBlockDevices(asked, fail);
  const { pidsLimit, cgroupConf = {}, hugetlb = [] } = asked;
  if (pidsLimit !== undefined && pidsLimit < -1) fail("pidsLimit", "want a number, or -1 for no limit");
  for (const { size } of hugetlb)
    if (!/^\d+[KMG]B$/.test(size)) fail("hugetlb", `no pages are of ${quote(size)}`);
  for (const [key, value] of Object.entries(cgroupConf)) checkRawFile(key, value, naming("cgroupConf"));
  return asked;
}

type Fail = (name: ResourceName, why: string) => never;

function failing(asked: Resources, naming: ResourceNaming): Fail {
  return (name, why) => {
    const value = name === "nanoCpus" ? (asked.nanoCpus ?? 0) / 1e9 : asked[name];
    const shown = typeof value === "object" ? "" : ` ${typeof value === "string" ? quote(value) : value}`;
    throw invalid(`invalid ${naming(name)}${shown}: ${why}`);
  };
}

function checkMemory(asked: Resources, isChange: boolean, fail: Fail): void {
  const { memory, memoryReservation, memorySwap, memorySwappiness } = asked;
  if (memory !== undefined && memory < memoryMin) fail("memory", "Minimum memory limit allowed is 6MB");
  if (memorySwap !== undefined) {
    if (memorySwap < -1) fail("memorySwap", "want a size, or -1 for all the swap that there is");
    if (memory === undefined && memorySwap > 0 && !isChange)
      fail("memorySwap", "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (memory !== undefined && memorySwap !== -1 && memorySwap < memory)
      fail("memorySwap", "Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memorySwappiness !== undefined && (memorySwappiness < 0 || memorySwappiness > 100))
    fail("memorySwappiness", "valid memory swappiness range is 0-100");
  if (memoryReservation === undefined) return;
  if (memoryReservation < memoryMin) fail("memoryReservation", "Minimum memory reservation allowed is 6MB");
  if (memory !== undefined && memory < memoryReservation)
    fail(
      "memoryReservation",
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    );
}

function checkProcessors(asked: Resources, fail: Fail): void {
  const { nanoCpus, cpuPeriod, cpuQuota, cpuShares, cpuRealtimePeriod, cpuRealtimeRuntime } = asked;
  if (nanoCpus !== undefined) {
    if (cpuPeriod !== undefined)
      fail("nanoCpus", "Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (cpuQuota !== undefined)
      fail("nanoCpus", "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  }
  if (cpuPeriod !== undefined && (cpuPeriod < periodMin || cpuPeriod > periodMax))
    fail("cpuPeriod", "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  if (cpuQuota !== undefined && cpuQuota !== -1 && cpuQuota < quotaMin)
    fail("cpuQuota", "CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (cpuShares !== undefined && cpuShares < sharesMin)
    fail("cpuShares", `the minimum allowed cpu-shares is ${sharesMin}`);
  if (cpuShares !== undefined && cpuShares > sharesMax)
    fail("cpuShares", `the maximum allowed cpu-shares is ${sharesMax}`);
  if (cpuRealtimeRuntime !== undefined && cpuRealtimeRuntime > (cpuRealtimePeriod ?? periodMax))
    fail("cpuRealtimeRuntime", "cpu real-time runtime cannot be higher than cpu real-time period");
  for (const name of ["cpusetCpus", "cpusetMems"] as const) {
    const list = asked[name];
    const words = name === "cpusetCpus" ? "cpuset cpus" : "cpuset mems";
    if (list !== undefined && parseProcessors(list) === undefined) fail(name, `Invalid value for ${words}`);
  }
}

/** "0-2,4" as numbers; undefined where it is no such list. */
export function parseProcessors(list: string): number[] | undefined {
  const found = new Set<number>();
  for (const part of list.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (!match) return undefined;
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (first > last || last > processorMax) return undefined;
    for (let each = first; each <= last; each++) found.add(each);
  }
  return [...found];
}

function checkBlockDevices(asked: Resources, fail: Fail): void {
  const { blkioWeight, blkioWeightDevice = [] } = asked;
  const isWeight = (weight: number) => weight >= 10 && weight <= 1000;
  if (blkioWeight !== undefined && !isWeight(blkioWeight))
    fail("blkioWeight", "Range of blkio weight is from 10 to 1000");
  for (const { path, weight } of blkioWeightDevice) {
    checkDevicePath(path, "blkioWeightDevice", fail);
    if (!isWeight(weight))
      fail("blkioWeightDevice", `invalid weight for device: ${quote(`${path}:${weight}`)}`);
  }
  for (const name of rateNames) for (const { path } of asked[name] ?? []) checkDevicePath(path, name, fail);
}

export const rateNames = ["deviceReadBps", "deviceWriteBps", "deviceReadIops", "deviceWriteIops"] as const;

function checkDevicePath(path: string, name: ResourceName, fail: Fail): void {
  if (!path.startsWith("/dev/") || path.includes("\0"))
    fail(name, `bad format for device path: ${quote(path)}`);
}

/** What would end it, take it out of its group or open it to others is not to be set by hand. */
const ownFiles =
  /^(cgroup\.(procs|threads|kill|freeze|type|subtree_control|event_control|clone_children)$|(devices|freezer)\.)/;

function checkRawFile(key: string, value: string, what: string): void {
  rejectControl(what, value);
  const shown = `invalid ${what} ${quote(`${key}=${value}`)}`;
  if (!/^[a-z][a-z0-9_]*\.[A-Za-z0-9._]+$/.test(key))
    throw invalid(`${shown}: want a file of a cgroup's, as memory.high`);
  if (ownFiles.test(key)) throw invalid(`${shown}: ${key} is the engine's own`);
}

/** As `asked`, for those of the same device once: the last. */
export function lastOfEachDevice<T extends Pick<DeviceRate, "path">>(list: readonly T[]): T[] {
  return [...new Map(list.map((each) => [each.path, each])).values()];
}

/**
 * What a container has once `change` was asked of it.
 * @throws RtError invalid-argument: the two contradict each other, in Docker's words
 */
export function changedResources(
  now: Resources,
  change: Resources,
  naming: ResourceNaming = flagOf,
): Resources {
  const fail = failing(change, naming);
  const { memory, memorySwap, nanoCpus, cpuPeriod, cpuQuota } = change;
  const conflict = "Conflicting options:";
  if (nanoCpus !== undefined && now.cpuPeriod !== undefined)
    fail("nanoCpus", `${conflict} Nano CPUs cannot be updated as CPU Period has already been set`);
  if (nanoCpus !== undefined && now.cpuQuota !== undefined)
    fail("nanoCpus", `${conflict} Nano CPUs cannot be updated as CPU Quota has already been set`);
  if (cpuPeriod !== undefined && now.nanoCpus !== undefined)
    fail("cpuPeriod", `${conflict} CPU Period cannot be updated as NanoCPUs has already been set`);
  if (cpuQuota !== undefined && now.nanoCpus !== undefined)
    fail("cpuQuota", `${conflict} CPU Quota cannot be updated as NanoCPUs has already been set`);
  const total = now.memorySwap ?? 0;
  if (memory !== undefined && memorySwap === undefined && total > 0 && memory > total)
    fail(
      "memory",
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    );
  const merged: Resources = { ...now, ...change };
  for (const name of [...rateNames, "blkioWeightDevice"] as const) {
    const both = [...(now[name] ?? []), ...(change[name] ?? [])];
    if (both.length > 0) Object.assign(merged, { [name]: lastOfEachDevice(both) });
  }
  if (now.cgroupConf || change.cgroupConf) merged.cgroupConf = { ...now.cgroupConf, ...change.cgroupConf };
  if (now.hugetlb && change.hugetlb) {
    const both = [...now.hugetlb, ...change.hugetlb];
    merged.hugetlb = [...new Map(both.map((each) => [each.size, each])).values()];
  }
  return checkResources(merged, { naming });
}
