import { invalid } from "../base/invalid.ts";
import { flag, type Infer, integer, listOf, mapOf, natural, object, text } from "../base/shape.ts";
import { checkResources } from "../settings/resource-checks.ts";
import { type DeviceRate, fieldOf, type ResourceName, type Resources } from "../settings/resources.ts";
import { given, isZero } from "./zero.ts";

/** The limits in Docker's `HostConfig`, and in the body of POST /containers/NAME/update: 0, "" and null say nothing. */
export interface HostResources {
  Memory: number;
  MemoryReservation: number;
  MemorySwap: number;
  MemorySwappiness: number | null;
  OomKillDisable: boolean | null;
  NanoCpus: number;
  CpuShares: number;
  CpuQuota: number;
  CpuPeriod: number;
  CpuRealtimePeriod: number;
  CpuRealtimeRuntime: number;
  CpusetCpus: string;
  CpusetMems: string;
  PidsLimit: number | null;
  BlkioWeight: number;
  BlkioWeightDevice: { Path: string; Weight: number }[];
  BlkioDeviceReadBps: DeviceRateDocument[];
  BlkioDeviceWriteBps: DeviceRateDocument[];
  BlkioDeviceReadIOps: DeviceRateDocument[];
  BlkioDeviceWriteIOps: DeviceRateDocument[];
  /** Ours, and only where something is asked for: as podman's flags have them. */
  HugetlbLimits?: { PageSize: string; Limit: number }[];
  CgroupConf?: Record<string, string>;
}

interface DeviceRateDocument {
  Path: string;
  Rate: number;
}

export function hostResources(limits: Resources): HostResources {
  return {
    Memory: limits.memory ?? 0,
    MemoryReservation: limits.memoryReservation ?? 0,
    MemorySwap: limits.memorySwap ?? 0,
    MemorySwappiness: limits.memorySwappiness ?? null,
    OomKillDisable: limits.oomKillDisable ?? null,
    NanoCpus: limits.nanoCpus ?? 0,
    CpuShares: limits.cpuShares ?? 0,
    CpuQuota: limits.cpuQuota ?? 0,
    CpuPeriod: limits.cpuPeriod ?? 0,
    CpuRealtimePeriod: limits.cpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: limits.cpuRealtimeRuntime ?? 0,
    CpusetCpus: limits.cpusetCpus ?? "",
    CpusetMems: limits.cpusetMems ?? "",
    PidsLimit: limits.pidsLimit ?? null,
    BlkioWeight: limits.blkioWeight ?? 0,
    BlkioWeightDevice: (limits.blkioWeightDevice ?? []).map(({ path, weight }) => ({
      Path: path,
      Weight: weight,
    })),
    BlkioDeviceReadBps: rateDocuments(limits.deviceReadBps),
    BlkioDeviceWriteBps: rateDocuments(limits.deviceWriteBps),
    BlkioDeviceReadIOps: rateDocuments(limits.deviceReadIops),
    BlkioDeviceWriteIOps: rateDocuments(limits.deviceWriteIops),
    ...(limits.hugetlb && {
      HugetlbLimits: limits.hugetlb.map(({ size, limit }) => ({ PageSize: size, Limit: limit })),
    }),
    ...(limits.cgroupConf && { CgroupConf: limits.cgroupConf }),
  };
}

function rateDocuments(rates: readonly DeviceRate[] = []): DeviceRateDocument[] {
  return rates.map(({ path, rate }) => ({ Path: path, Rate: rate }));
}

const number = given(integer, 0);
const word = given(text, "");
const rates = given(listOf(object({ Path: text, Rate: natural })), []);

/** The fields as a client writes them. */
export const hostResourceFields = {
  Memory: number,
  MemoryReservation: number,
  MemorySwap: number,
  // 0 is one of its values.
  MemorySwappiness: given(integer, -1),
  OomKillDisable: given(flag, false),
  NanoCpus: number,
  CpuShares: number,
  CpuQuota: number,
  CpuPeriod: number,
  CpuRealtimePeriod: number,
  CpuRealtimeRuntime: number,
  CpusetCpus: word,
  CpusetMems: word,
  PidsLimit: number,
  BlkioWeight: number,
  BlkioWeightDevice: given(listOf(object({ Path: text, Weight: natural })), []),
  BlkioDeviceReadBps: rates,
  BlkioDeviceWriteBps: rates,
  BlkioDeviceReadIOps: rates,
  BlkioDeviceWriteIOps: rates,
  HugetlbLimits: given(listOf(object({ PageSize: text, Limit: natural })), []),
  CgroupConf: given(mapOf(text), {}),
};

const hostResourcesShape = object(hostResourceFields);

/**
 * @param options as `checkResources` has them
 * @throws RtError invalid-argument that names the field
 */
export function parseHostResources(
  document: Infer<typeof hostResourcesShape>,
  options: Parameters<typeof checkResources>[1] = {},
): Resources {
  const asked: Resources = {};
  const set = <K extends ResourceName>(name: K, value: Resources[K]) => {
    if (typeof value === "number" && value < 0 && !mayBeNegative.has(name))
      throw invalid(`invalid ${fieldOf(name)} ${value}: value must be a positive integer`);
    if (!isZero(value)) asked[name] = value;
  };
  set("memory", document.Memory);
  set("memoryReservation", document.MemoryReservation);
  set("memorySwap", document.MemorySwap);
  if (document.MemorySwappiness !== -1) set("memorySwappiness", document.MemorySwappiness);
  if (document.MemorySwappiness === 0) asked.memorySwappiness = 0;
  set("oomKillDisable", document.OomKillDisable);
  set("nanoCpus", document.NanoCpus);
  set("cpuShares", document.CpuShares);
  set("cpuQuota", document.CpuQuota);
  set("cpuPeriod", document.CpuPeriod);
  set("cpuRealtimePeriod", document.CpuRealtimePeriod);
  set("cpuRealtimeRuntime", document.CpuRealtimeRuntime);
  set("cpusetCpus", document.CpusetCpus);
  set("cpusetMems", document.CpusetMems);
  // Whatever is below zero is no limit, and always was.
  set("pidsLimit", Math.max(document.PidsLimit, -1));
  set("blkioWeight", document.BlkioWeight);
  const weights = document.BlkioWeightDevice.map(({ Path, Weight }) => ({ path: Path, weight: Weight }));
  set("blkioWeightDevice", weights);
  set("deviceReadBps", ratesIn(document.BlkioDeviceReadBps));
  set("deviceWriteBps", ratesIn(document.BlkioDeviceWriteBps));
  set("deviceReadIops", ratesIn(document.BlkioDeviceReadIOps));
  set("deviceWriteIops", ratesIn(document.BlkioDeviceWriteIOps));
  const pages = document.HugetlbLimits.map(({ PageSize, Limit }) => ({ size: PageSize, limit: Limit }));
  set("hugetlb", pages);
  set("cgroupConf", document.CgroupConf);
  return checkResources(asked, { naming: fieldOf, ...options });
}

/** What -1 says of them, or what is wrong with it, is said elsewhere. */
const mayBeNegative = new Set<ResourceName>(["memorySwap", "cpuQuota", "pidsLimit", "nanoCpus"]);

function ratesIn(documents: readonly DeviceRateDocument[]): DeviceRate[] {
  return documents.map(({ Path, Rate }) => ({ path: Path, rate: Rate }));
}
