import type { SpecBlockDevice, SpecResources } from "../oci/runtime-spec.ts";
import type { DeviceRate, Resources } from "../settings/resources.ts";

/** By their path on the host. */
export type BlockDevices = Readonly<Record<string, SpecBlockDevice>>;

/** `linux.resources` but for the devices. */
export type SpecLimits = Omit<SpecResources, "devices">;

/** Microseconds: docker's, for `--cpus`. */
const usualPeriod = 100_000;

/** What a container may take, in the specification's words. Every device that is named is among `blockDevices`. */
export function specLimits(asked: Resources, blockDevices: BlockDevices): SpecLimits {
  const whole = {
    memory: some({
      limit: asked.memory,
      reservation: asked.memoryReservation,
      swap: asked.memorySwap,
      swappiness: asked.memorySwappiness,
      disableOOMKiller: asked.oomKillDisable,
    }),
    cpu: some({
      shares: asked.cpuShares,
      ...quotaOf(asked),
      realtimeRuntime: asked.cpuRealtimeRuntime,
      realtimePeriod: asked.cpuRealtimePeriod,
      cpus: asked.cpusetCpus,
      mems: asked.cpusetMems,
    }),
    pids: asked.pidsLimit === undefined ? undefined : { limit: asked.pidsLimit },
    blockIO: some(blockIO(asked, blockDevices)),
    hugepageLimits: asked.hugetlb?.map(({ size, limit }) => ({ pageSize: size, limit })),
    unified: asked.cgroupConf,
  };
  return some(whole) ?? {};
}

/** A part of a processor is so much of it in each period. */
function quotaOf({ nanoCpus, cpuQuota, cpuPeriod }: Resources): { quota?: number; period?: number } {
  if (nanoCpus === undefined) return some({ quota: cpuQuota, period: cpuPeriod }) ?? {};
  return { quota: Math.floor((nanoCpus * usualPeriod) / 1e9), period: usualPeriod };
}

function blockIO(asked: Resources, devices: BlockDevices): NonNullable<SpecLimits["blockIO"]> {
  const rates = (list: readonly DeviceRate[] | undefined) =>
    list?.map(({ path, rate }) => ({ ...numbersOf(devices, path), rate }));
  return (
    some({
      weight: asked.blkioWeight,
      weightDevice: asked.blkioWeightDevice?.map(({ path, weight }) => ({
        ...numbersOf(devices, path),
        weight,
      })),
      throttleReadBpsDevice: rates(asked.deviceReadBps),
      throttleWriteBpsDevice: rates(asked.deviceWriteBps),
      throttleReadIOPSDevice: rates(asked.deviceReadIops),
      throttleWriteIOPSDevice: rates(asked.deviceWriteIops),
    }) ?? {}
  );
}

function numbersOf(devices: BlockDevices, path: string): SpecBlockDevice {
  const found = devices[path];
  if (!found) throw new Error(`nobody has looked for ${path}`);
  return { major: found.major, minor: found.minor };
}

type Some<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what is not there; undefined where nothing is. */
function some<T extends object>(fields: T): Some<T> | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? (Object.fromEntries(entries) as Some<T>) : undefined;
}
