import type { SpecDeviceRule, SpecResources, SpecThrottle } from "../../oci/runtime-spec.ts";
import { cpuWeight, ioWeight } from "../limit-files.ts";
import type { Variant } from "./wire.ts";

/** Properties of a unit, as systemd.resource-control(5) calls them but for the units of D-Bus's. */
export type Properties = [name: string, value: Variant][];

/** Of sizes, numbers and times. */
export const infinity = 2n ** 64n - 1n;

/**
 * The limits that we have written into files of a scope's cgroup, once more for systemd, so that it writes the same when it
 * is reloaded. Of v1 it knows a part.
 * @param version of the hierarchy that a controller is in
 */
export function limitProperties(
  { memory = {}, cpu = {}, pids, blockIO = {} }: SpecResources,
  version: (controller: string) => 1 | 2 | undefined,
): Properties {
  const { limit, reservation, swap } = memory;
  const { shares, quota, period, cpus, mems } = cpu;
  const isNew = (controller: string) => version(controller) === 2;
  return [
    ...number("MemoryMax", limit),
    ...(isNew("memory") ? [...number("MemoryLow", reservation), ...swapOf(swap, limit)] : []),
    ...(isNew("cpu")
      ? number("CPUWeight", shares === undefined ? undefined : cpuWeight(shares))
      : number("CPUShares", shares)),
    ...number("CPUQuotaPerSecUSec", perSecond(quota, period)),
    ...number("CPUQuotaPeriodUSec", period),
    ...number("TasksMax", pids?.limit),
    ...(isNew("cpuset") ? [...bits("AllowedCPUs", cpus), ...bits("AllowedMemoryNodes", mems)] : []),
    ...(isNew("io") ? blockProperties(blockIO) : []),
  ];
}

/** Below zero is no limit. */
function number(name: string, value: number | undefined): Properties {
  if (value === undefined) return [];
  return [[name, ["t", value < 0 ? infinity : BigInt(Math.floor(value))]]];
}

function swapOf(swap: number | undefined, limit: number | undefined): Properties {
  if (swap === undefined) return [];
  return number("MemorySwapMax", swap < 0 ? -1 : Math.max(0, swap - Math.max(0, limit ?? 0)));
}

/** Microseconds of processor time a second; without a period that of the kernel. */
function perSecond(quota: number | undefined, period = 100_000): number | undefined {
  return quota === undefined || quota < 0 ? quota : (quota * 1_000_000) / period;
}

/** "0-2,4" as a set of bits, the lowest first. */
function bits(name: string, list: string | undefined): Properties {
  if (list === undefined || list === "") return [];
  let set = 0n;
  for (const part of list.split(",")) {
    const [first = 0, last = first] = part.split("-").map(Number);
    for (let each = first; each <= last; each++) set |= 1n << BigInt(each);
  }
  const bytes: number[] = [];
  for (; set > 0n; set >>= 8n) bytes.push(Number(set & 255n));
  return [[name, ["ay", bytes]]];
}

type Block = NonNullable<SpecResources["blockIO"]>;

function blockProperties(block: Block): Properties {
  const rates = (name: string, list: readonly SpecThrottle[] | undefined): Properties =>
    list ? [[name, ["a(st)", list.map((each) => [blockPath(each), BigInt(each.rate)])]]] : [];
  return [
    ...number("IOWeight", block.weight === undefined ? undefined : ioWeight(block.weight)),
    ...rates("IOReadBandwidthMax", block.throttleReadBpsDevice),
    ...rates("IOWriteBandwidthMax", block.throttleWriteBpsDevice),
    ...rates("IOReadIOPSMax", block.throttleReadIOPSDevice),
    ...rates("IOWriteIOPSMax", block.throttleWriteIOPSDevice),
  ];
}

function blockPath({ major, minor }: { major: number; minor: number }): string {
  return `/dev/block/${major}:${minor}`;
}

/**
 * Who may open all devices is not told of. What is denied besides "everything" has no words there.
 * @param drivers /proc/devices: how drivers of whole major numbers are called
 */
export function deviceProperties(rules: readonly SpecDeviceRule[], drivers: string): Properties {
  if (rules.some(({ allow, type = "a" }) => allow && type === "a")) return [];
  const allowed = rules.flatMap((rule) => {
    const name = rule.allow ? deviceName(rule, drivers) : undefined;
    return name === undefined ? [] : [[name, rule.access]];
  });
  return [
    ["DevicePolicy", ["s", "strict"]],
    ["DeviceAllow", ["a(ss)", allowed]],
  ];
}

function deviceName({ type, major, minor }: SpecDeviceRule, drivers: string): string | undefined {
  const [words, heading] = type === "b" ? ["block", "Block"] : ["char", "Character"];
  if (major === undefined) return minor === undefined ? `${words}-*` : undefined;
  if (minor !== undefined) return `/dev/${words}/${major}:${minor}`;
  const section = drivers.split("\n\n").find((each) => each.startsWith(heading)) ?? "";
  const driver = new RegExp(`^ *${major} (\\S+)$`, "m").exec(section)?.[1];
  return driver && `${words}-${driver}`;
}
