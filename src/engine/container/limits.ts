import { statSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { invalid, quote } from "../../base/invalid.ts";
import { deviceNumbers } from "../../container/devices.ts";
import type { GroupPlace } from "../../runtime/group-place.ts";
import {
  availableIn,
  type HostLimits,
  hostLimits,
  hugePageSizes,
  isReadOnly,
} from "../../runtime/host-limits.ts";
import { parseProcessors, rateNames } from "../../settings/resource-checks.ts";
import { flagOf, type ResourceName, type Resources } from "../../settings/resources.ts";
import type { BlockDevices } from "../../spec/limits.ts";
import type { Host } from "../host.ts";
import { howToDelegate, placeBelow } from "./group.ts";

/** What of the host a limit needs, and Docker's words where that is not there. */
const needs: Partial<
  Record<ResourceName, readonly [what: keyof HostLimits, controller: string, words: string]>
> = {
  memory: ["memory", "memory", "memory limit capabilities"],
  memoryReservation: ["memory", "memory", "memory soft limit capabilities"],
  memorySwap: ["swap", "memory", "swap limit capabilities"],
  memorySwappiness: ["swappiness", "memory", "memory swappiness capabilities"],
  nanoCpus: ["cpuQuota", "cpu", "CPU CFS scheduler"],
  cpuQuota: ["cpuQuota", "cpu", "CPU CFS quota"],
  cpuPeriod: ["cpuQuota", "cpu", "CPU CFS period"],
  cpuShares: ["cpuShares", "cpu", "CPU shares"],
  cpuRealtimePeriod: ["cpuRealtime", "cpu", "CPU real-time scheduler"],
  cpuRealtimeRuntime: ["cpuRealtime", "cpu", "CPU real-time scheduler"],
  cpusetCpus: ["cpuset", "cpuset", "cpuset"],
  cpusetMems: ["cpuset", "cpuset", "cpuset"],
  pidsLimit: ["pids", "pids", "PIDs limit capabilities"],
  blkioWeight: ["blockDevices", "blkio", "Block I/O weight"],
  blkioWeightDevice: ["blockDevices", "blkio", "Block I/O weight_device"],
  deviceReadBps: ["blockDevices", "blkio", "BPS Block I/O read limit"],
  deviceWriteBps: ["blockDevices", "blkio", "BPS Block I/O write limit"],
  deviceReadIops: ["blockDevices", "blkio", "IOPS Block read limit in IO"],
  deviceWriteIops: ["blockDevices", "blkio", "IOPS Block write limit in IO"],
  hugetlb: ["hugePages", "hugetlb", "huge page limits"],
};

/**
 * Limits that somebody asks for, as this host can give them. What was asked for and cannot be had is an error, before anything
 * is made.
 * @throws RtError unsupported | forbidden | invalid-argument | not-found, in a line that names the flag
 */
export function givenLimits(host: Host, asked: Resources, cgroupParent: string): Resources {
  const place = placeBelow(cgroupParent);
  const can = hostLimits();
  const { oomKillDisable, ...limits } = asked;
  for (const name of Object.keys(limits) as ResourceName[]) {
    // As many as there can be is what there is.
    if (name === "pidsLimit" && Number(limits.pidsLimit) <= 0) continue;
    requireDelegation(name, asked, place);
    requireController(name, can, place);
  }
  checkAvailable(asked);
  blockDevicesOf(asked);
  if (!oomKillDisable) return limits;
  if (can.oomKillDisable && place.kind === "everywhere") return asked;
  host.warn("warning: Your kernel does not support OomKillDisable. OomKillDisable discarded.");
  return limits;
}

/** What goes with limits where nothing is said of it: Docker's rule is that there is as much swap as there is memory. */
export function completeLimits(host: Host, limits: Resources): Resources {
  const { memory, memorySwap, oomKillDisable } = limits;
  if (oomKillDisable && memory === undefined) host.warn(unlimitedWait);
  if (memory === undefined || memorySwap !== undefined) return limits;
  if (hostLimits().swap) return { ...limits, memorySwap: memory * 2 };
  host.warn(noSwap);
  return limits;
}

const unlimitedWait =
  "warning: OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.";
const noSwap =
  "warning: Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.";

function requireController(name: ResourceName, can: HostLimits, { kind }: GroupPlace): void {
  const need = needs[name];
  if (!need) return;
  const [what, controller, words] = need;
  const flag = flagOf(name);
  if (!can[what])
    throw new RtError(
      "unsupported",
      `${flag}: Your kernel does not support ${words} or the cgroup is not mounted`,
    );
  // What is above a group that is delegated is never his to write.
  if (kind === "everywhere" && isReadOnly(controller))
    throw new RtError("forbidden", `${flag}: the ${controller} cgroups of this host can only be read here`);
}

/** Whoever is root of a user namespace only has the controllers that were passed on to him, and none of v1. */
function requireDelegation(name: ResourceName, asked: Resources, place: GroupPlace): void {
  if (place.kind === "everywhere") return;
  if (place.kind === "nowhere") throw new RtError("forbidden", `${flagOf(name)}: ${howToDelegate}`);
  for (const wanted of controllersOf(name, asked)) {
    if (place.controllers.includes(wanted)) continue;
    const there = place.controllers.length > 0 ? `only ${place.controllers.join(", ")}` : "none";
    throw new RtError(
      "forbidden",
      `${flagOf(name)}: the cgroup controller ${wanted} is not delegated to you: ${place.group} has ${there}: docs/delegation.md says how to get more`,
    );
  }
}

/** As cgroup v2 calls them. */
function controllersOf(name: ResourceName, { cgroupConf = {} }: Resources): string[] {
  if (name === "cgroupConf") return Object.keys(cgroupConf).map((file) => file.slice(0, file.indexOf(".")));
  const controller = needs[name]?.[1];
  if (controller === undefined) return [];
  return [controller === "blkio" ? "io" : controller];
}

function checkAvailable({ nanoCpus, cpusetCpus, cpusetMems, hugetlb = [] }: Resources): void {
  if (nanoCpus !== undefined) checkProcessorCount(nanoCpus);
  checkList("cpusetCpus", cpusetCpus, "cpus", "CPUs");
  checkList("cpusetMems", cpusetMems, "mems", "memory nodes");
  const sizes = hugetlb.length > 0 ? hugePageSizes() : [];
  for (const { size } of hugetlb) {
    if (sizes.includes(size)) continue;
    const there = sizes.length > 0 ? `there are ${sizes.join(", ")}` : "there are none";
    throw invalid(
      `invalid ${flagOf("hugetlb")} ${quote(size)}: this kernel has no huge pages of that size, ${there}`,
    );
  }
}

/** A hundredth is what the scheduler's shortest turn makes of its usual period. */
function checkProcessorCount(nanoCpus: number): void {
  const there = navigator.hardwareConcurrency;
  if (nanoCpus >= 1e7 && nanoCpus <= there * 1e9) return;
  throw invalid(
    `invalid ${flagOf("nanoCpus")} ${nanoCpus / 1e9}: range of CPUs is from 0.01 to ${there}.00, as there are only ${there} CPUs available`,
  );
}

function checkList(
  name: "cpusetCpus" | "cpusetMems",
  asked: string | undefined,
  what: "cpus" | "mems",
  words: string,
): void {
  if (asked === undefined) return;
  const available = availableIn(what);
  const there = available === undefined ? undefined : parseProcessors(available);
  if (!there || parseProcessors(asked)?.every((each) => there.includes(each))) return;
  throw invalid(
    `invalid ${flagOf(name)} ${quote(asked)}: Requested ${words} are not available - requested ${asked}, available: ${available}`,
  );
}

/** The numbers of the devices that limits name, as they are now. @throws RtError not-found | invalid-argument */
export function blockDevicesOf(limits: Resources): BlockDevices {
  const found: Record<string, { major: number; minor: number }> = {};
  for (const name of [...rateNames, "blkioWeightDevice"] as const)
    for (const { path } of limits[name] ?? []) found[path] ??= blockDevice(path, flagOf(name));
  return found;
}

function blockDevice(path: string, flag: string): { major: number; minor: number } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new RtError("not-found", `invalid ${flag}: ${quote(path)}: no such file or directory`);
  if (!stat.isBlockDevice()) throw invalid(`invalid ${flag}: ${quote(path)} is not a block device`);
  return deviceNumbers(stat);
}
