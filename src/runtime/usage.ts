import { readFileSync } from "node:fs";
import { hierarchyOf } from "./hierarchies.ts";

/**
 * What the processes of a control group use, by the kernel's counts: each controller's where it is, on v1 or on v2. What cannot
 * be read is 0 or not there; a container may end while it is looked at.
 */
export interface GroupUsage {
  cpu: {
    total_ns: number;
    user_ns: number;
    kernel_ns: number;
    throttling: { periods: number; throttled_periods: number; throttled_time: number };
  };
  memory: {
    usage: number;
    max_usage?: number;
    failcnt?: number;
    limit?: number;
    stats: Record<string, number>;
  };
  pids: { current: number; limit?: number };
  /** Bytes, and requests. */
  serviceBytes: DeviceCount[];
  serviced: DeviceCount[];
}

export interface DeviceCount {
  major: number;
  minor: number;
  op: string;
  value: number;
}

/** @param group below each hierarchy's root: "rt/<id>" */
export function usageOf(group: string): GroupUsage {
  return { cpu: cpuOf(group), memory: memoryOf(group), pids: pidsOf(group), ...blockOf(group) };
}

/** USER_HZ. */
const tick_ns = 1e7;

function cpuOf(group: string): GroupUsage["cpu"] {
  const old = groupDirectory("cpuacct", group);
  if (old === undefined) {
    const stat = table(`${groupDirectory(undefined, group)}/cpu.stat`);
    const us = (key: string) => (stat[key] ?? 0) * 1000;
    const throttling = { periods: stat.nr_periods ?? 0, throttled_periods: stat.nr_throttled ?? 0 };
    return {
      ...{ total_ns: us("usage_usec"), user_ns: us("user_usec"), kernel_ns: us("system_usec") },
      throttling: { ...throttling, throttled_time: us("throttled_usec") },
    };
  }
  const stat = table(`${old}/cpuacct.stat`);
  const limits = table(`${groupDirectory("cpu", group)}/cpu.stat`);
  return {
    total_ns: number(`${old}/cpuacct.usage`) ?? 0,
    user_ns: (stat.user ?? 0) * tick_ns,
    kernel_ns: (stat.system ?? 0) * tick_ns,
    throttling: {
      periods: limits.nr_periods ?? 0,
      throttled_periods: limits.nr_throttled ?? 0,
      throttled_time: limits.throttled_time ?? 0,
    },
  };
}

function memoryOf(group: string): GroupUsage["memory"] {
  const old = groupDirectory("memory", group);
  const directory = old ?? groupDirectory(undefined, group);
  const [usage, limit] = old ? ["usage_in_bytes", "limit_in_bytes"] : ["current", "max"];
  const max = old && number(`${old}/memory.max_usage_in_bytes`);
  const failures = old && number(`${old}/memory.failcnt`);
  return {
    usage: number(`${directory}/memory.${usage}`) ?? 0,
    limit: number(`${directory}/memory.${limit}`),
    stats: table(`${directory}/memory.stat`),
    ...(max !== undefined && { max_usage: max }),
    ...(failures !== undefined && { failcnt: failures }),
  } as GroupUsage["memory"];
}

function pidsOf(group: string): GroupUsage["pids"] {
  const directory = groupDirectory("pids", group) ?? groupDirectory(undefined, group);
  const limit = number(`${directory}/pids.max`);
  return { current: number(`${directory}/pids.current`) ?? 0, ...(limit !== undefined && { limit }) };
}

function blockOf(group: string): Pick<GroupUsage, "serviceBytes" | "serviced"> {
  const old = groupDirectory("blkio", group);
  if (old !== undefined) {
    const counts = (what: string) => {
      const found = oldCounts(`${old}/blkio.throttle.${what}_recursive`);
      return found.length > 0 ? found : oldCounts(`${old}/blkio.throttle.${what}`);
    };
    return { serviceBytes: counts("io_service_bytes"), serviced: counts("io_serviced") };
  }
  const lines = linesOf(`${groupDirectory(undefined, group)}/io.stat`);
  const counts = (read: string, write: string) => lines.flatMap((line) => newCounts(line, { read, write }));
  return { serviceBytes: counts("rbytes", "wbytes"), serviced: counts("rios", "wios") };
}

/** "8:0 Read 4096"; the last line is a total. */
function oldCounts(path: string): DeviceCount[] {
  return linesOf(path).flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (!match) return [];
    return { major: Number(match[1]), minor: Number(match[2]), op: match[3]!, value: Number(match[4]) };
  });
}

/** "8:0 rbytes=4096 wbytes=0 rios=1 …" */
function newCounts(line: string, keys: Record<"read" | "write", string>): DeviceCount[] {
  const device = /^(\d+):(\d+) /.exec(line);
  if (!device) return [];
  const [major, minor] = [Number(device[1]), Number(device[2])];
  return (["read", "write"] as const).flatMap((op) => {
    const value = new RegExp(` ${keys[op]}=(\\d+)`).exec(line)?.[1];
    return value === undefined ? [] : { major, minor, op, value: Number(value) };
  });
}

function groupDirectory(controller: string | undefined, group: string): string | undefined {
  const hierarchy = hierarchyOf(controller);
  return hierarchy && `${hierarchy.directory}/${group}`;
}

/** Nanoseconds of all processors together since the machine's start, idle ones too, and how many there are. */
export function machineUsage(): { total_ns: number; processors: number } {
  const lines = linesOf("/proc/stat");
  // user nice system idle iowait irq softirq: what docker adds up.
  const ticks = (lines[0] ?? "").trim().split(/\s+/).slice(1, 8).map(Number);
  return {
    total_ns: ticks.reduce((sum, each) => sum + each, 0) * tick_ns,
    processors: lines.filter((line) => /^cpu\d/.test(line)).length,
  };
}

/** Of the interfaces in a process's network namespace but the loopback. */
export function interfacesOf(pid: number): Map<string, number[]> {
  const lines = linesOf(`/proc/${pid}/net/dev`).flatMap((line) => {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    return match && match[1] !== "lo" ? [[match[1]!, match[2]!.split(/\s+/).map(Number)] as const] : [];
  });
  return new Map(lines);
}

/** "KEY NUMBER" lines. */
function table(path: string): Record<string, number> {
  const rows = linesOf(path).map((line) => line.split(" "));
  return Object.fromEntries(rows.filter(([key]) => key).map(([key, value]) => [key!, Number(value)]));
}

/** Undefined where there is none, and of "max". */
function number(path: string): number | undefined {
  const text = linesOf(path)[0] ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\n");
  } catch {
    return [];
  }
}
