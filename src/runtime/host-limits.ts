import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { GroupPlace } from "./group-place.ts";
import { hierarchyOf, textOf, versionOf } from "./hierarchies.ts";

/** What this host's control groups can limit, by the kernel's files; each controller may be in a hierarchy of its own. */
export interface HostLimits {
  memory: boolean;
  /** Memory and swap together, or swap beside it. */
  swap: boolean;
  swappiness: boolean;
  oomKillDisable: boolean;
  cpuShares: boolean;
  cpuQuota: boolean;
  cpuRealtime: boolean;
  cpuset: boolean;
  pids: boolean;
  blockDevices: boolean;
  hugePages: boolean;
}

/** What containers can have of those, where their groups can be made. */
export function limitsIn(place: GroupPlace): HostLimits {
  const host = hostLimits();
  if (place.kind === "everywhere") return host;
  const has = (controller: string) => place.kind === "delegated" && place.controllers.includes(controller);
  return {
    memory: has("memory"),
    swap: has("memory") && host.swap,
    swappiness: false,
    oomKillDisable: false,
    cpuShares: has("cpu"),
    cpuQuota: has("cpu"),
    cpuRealtime: false,
    cpuset: has("cpuset"),
    pids: has("pids"),
    blockDevices: has("io"),
    hugePages: has("hugetlb"),
  };
}

export function hostLimits(): HostLimits {
  const old = {
    memory: hierarchyOf("memory")?.directory,
    cpu: hierarchyOf("cpu")?.directory,
  };
  const has = (directory: string | undefined, name: string) =>
    directory !== undefined && existsSync(join(directory, name));
  const memory = versionOf("memory");
  const cpu = versionOf("cpu");
  return {
    memory: memory !== undefined,
    swap: memory === 2 ? hasSwapCounts() : has(old.memory, "memory.memsw.limit_in_bytes"),
    swappiness: has(old.memory, "memory.swappiness"),
    oomKillDisable: has(old.memory, "memory.oom_control"),
    cpuShares: cpu !== undefined,
    cpuQuota: cpu === 2 || has(old.cpu, "cpu.cfs_quota_us"),
    cpuRealtime: has(old.cpu, "cpu.rt_runtime_us"),
    cpuset: versionOf("cpuset") !== undefined,
    pids: versionOf("pids") !== undefined,
    blockDevices: versionOf("blkio") === 1 || versionOf("io") === 2,
    hugePages: versionOf("hugetlb") !== undefined,
  };
}

/** The root has no such file, and there may be no other group yet: the kernel counts unless it was built or told not to. */
function hasSwapCounts(): boolean {
  return existsSync("/proc/swaps") && !/\bswapaccount=0\b/.test(textOf("/proc/cmdline"));
}

/** The hierarchy of a controller can only be read here, as in a container that may not change its own limits. */
export function isReadOnly(controller: string): boolean {
  const directory = (hierarchyOf(controller) ?? hierarchyOf(undefined))?.directory;
  if (directory === undefined) return false;
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch {
    return true;
  }
}

/** Processors ("cpus") or nodes of memory ("mems") that a group right below the root can have: "0-3"; undefined: unknown. */
export function availableIn(what: "cpus" | "mems"): string | undefined {
  const directory = (hierarchyOf("cpuset") ?? hierarchyOf(undefined))?.directory;
  const names = [`cpuset.${what}.effective`, `cpuset.effective_${what}`, `cpuset.${what}`];
  const found = names.map((name) => textOf(`${directory}/${name}`).trim()).find((text) => text !== "");
  return found;
}

/** Sizes of huge pages as the files' names have them: "2MB". */
export function hugePageSizes(): string[] {
  try {
    return readdirSync("/sys/kernel/mm/hugepages").flatMap((name) => {
      const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1]);
      if (!kilobytes) return [];
      if (kilobytes % (1 << 20) === 0) return [`${kilobytes >> 20}GB`];
      return [kilobytes % 1024 === 0 ? `${kilobytes >> 10}MB` : `${kilobytes}KB`];
    });
  } catch {
    return [];
  }
}
