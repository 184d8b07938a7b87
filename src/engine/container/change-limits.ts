import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { noGroup } from "../../runtime/cgroup.ts";
import { writeLimits } from "../../runtime/live-limits.ts";
import { changedResources } from "../../settings/resource-checks.ts";
import { flagOf, type ResourceName, type Resources } from "../../settings/resources.ts";
import { specLimits } from "../../spec/limits.ts";
import type { Host } from "../host.ts";
import { askedLimits } from "./asked-limits.ts";
import { cgroupOf, isScope } from "./group.ts";
import { blockDevicesOf, completeLimits, givenLimits } from "./limits.ts";

/** Limits of a container that is there already. */
export interface LimitsChange {
  /** To what it has. @throws RtError invalid-argument: it contradicts that */
  of(now: Resources): Resources;
  /** To the kernel, of one that runs: what was asked for, and what goes with it. Nothing else is touched. */
  write(): Promise<void>;
}

/**
 * @param record what the container has
 * @throws RtError this host cannot give what is asked for, or it contradicts what the container has
 */
export function limitsChange(
  host: Host,
  { id, cgroupParent, resources: now }: Pick<ContainerRecord, "id" | "cgroupParent" | "resources">,
  asked: Resources,
): LimitsChange {
  const given = givenLimits(host, asked, cgroupParent);
  const merged = changedResources(now, given);
  const limits = given.memory === undefined ? merged : completeLimits(host, merged);
  const swap = given.memory !== undefined && limits.memorySwap !== undefined;
  const change: Resources = swap ? { ...given, memorySwap: limits.memorySwap! } : given;
  return {
    of: (latest) => changedResources(latest, change),
    async write() {
      const flags = new Set((Object.keys(change) as ResourceName[]).flatMap(flagsOf));
      const group = cgroupOf(host, id);
      if (group === noGroup) throw new RtError("forbidden", `${[...flags][0]}: ${startedWithout}`);
      const spec = { devices: [], ...specLimits(limits, blockDevicesOf(limits)) };
      const { files } = askedLimits(group, spec, limits);
      writeLimits(
        group,
        files.filter(({ flag }) => flags.has(flag)),
      );
      if (!isScope(group)) return;
      const { tellOrWarn } = await import("./scope.ts");
      await tellOrWarn(host, group, spec);
    },
  };
}

const startedWithout =
  "the container has no control group, as none was delegated to you when it was started: stop it, and start it in one";

/** Swap is counted with memory; what a processor's part is, is said by two files or in one. */
function flagsOf(name: ResourceName): string[] {
  if (name === "memory") return [flagOf(name), flagOf("memorySwap")];
  const isQuota = name === "nanoCpus" || name === "cpuQuota" || name === "cpuPeriod";
  return isQuota ? [flagOf("cpuQuota"), flagOf("cpuPeriod")] : [flagOf(name)];
}
