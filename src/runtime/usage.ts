import { readFileSync } from "node:fs";
import { noGroup } from "./cgroup.ts";
import { hierarchyOf } from "./hierarchies.ts";
import { membersOf } from "./members.ts";

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

/** @param group below each hierarchy's root: "rt/<id>"; @param init for a container without one */
export function usageOf(group: string, init: number): GroupUsage {
  if (group === noGroup) return usageOfProcesses(init);
  const [cpu, memory, pids] = [cpuOf(group), memoryOf(group), pidsOf(group)];
  if (cpu && memory && pids) return { cpu, memory, pids, ...blockOf(group) };
  // Of a user's group the kernel counts what was passed on to him.
  const counted = usageOfProcesses(init);
  return {
    cpu: cpu ?? counted.cpu,
    memory: memory ?? counted.memory,
    pids: pids ?? counted.pids,
    ...blockOf(group),
  };
}

/**
 * Of a container without a group: what its processes say of themselves, and of their children that have ended. What they share with
 * files or with each other is nobody's here.
 */
function usageOfProcesses(init: number): GroupUsage {
  const sum = { user: 0, kernel: 0, memory_kb: 0, threads: 0 };
  for (const { pid, startTime } of membersOf(noGroup, init)) {
    const stat = linesOf(`/proc/${pid}/stat`)[0] ?? "";
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[19] !== startTime) continue;
    // proc_pid_stat(5) counts from 1, and the state is its third: utime and cutime, stime and cstime, num_threads.
    const field = (number: number) => Number(fields[number - 3]);
    sum.user += field(14) + field(16);
    sum.kernel += field(15) + field(17);
    sum.threads += field(20);
    const status = linesOf(`/proc/${pid}/status`).join("\n");
    sum.memory_kb += Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  }
  const [user_ns, kernel_ns] = [sum.user * tick_ns, sum.kernel * tick_ns];
  const throttling = { periods: 0, throttled_periods: 0, throttled_time: 0 };
  return {
    cpu: { total_ns: user_ns + kernel_ns, user_ns, kernel_ns, throttling },
    memory: { usage: sum.memory_kb * 1024, stats: {} },
    pids: { current: sum.threads },
    serviceBytes: [],
    serviced: [],
  };
}

/** USER_HZ. */
const tick_ns = 1e7;

/** Undefined where it is not counted. */
function cpuOf(group: string): GroupUsage["cpu"] | undefined {
  const old = groupDirectory("cpuacct", group);
  const total_ns = old === undefined ? undefined : number(`${old}/cpuacct.usage`);
  if (total_ns === undefined) {
    const stat = table(`${groupDirectory(undefined, group)}/cpu.stat`);
    if (stat.usage_usec === undefined) return undefined;
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
    total_ns,
    user_ns: (stat.user ?? 0) * tick_ns,
    kernel_ns: (stat.system ?? 0) * tick_ns,
    throttling: {
      periods: limits.nr_periods ?? 0,
      throttled_periods: limits.nr_throttled ?? 0,
      throttled_time: limits.throttled_time ?? 0,
    },
  };
}

function memoryOf(group: string): GroupUsage["memory"] | undefined {
  const old = groupDirectory("memory", group);
  const directory = old ?? groupDirectory(undefined, group);
  const [usage, limit] = old ? ["usage_in_bytes", "limit_in_bytes"] : ["current", "max"];
  const used = number(`${directory}/memory.${usage}`);
  if (used === undefined) return undefined;
  const max = old && number(`${old}/memory.max_usage_in_bytes`);
  const failures = old && number(`${old}/memory.failcnt`);
  return {
    usage: used,
    limit: number(`${directory}/memory.${limit}`),
    stats: table(`${directory}/memory.stat`),
    ...(max !== undefined && { max_usage: max }),
    ...(failures !== undefined && { failcnt: failures }),
  } as GroupUsage["memory"];
}

function pidsOf(group: string): GroupUsage["pids"] | undefined {
  const directory = groupDirectory("pids", group) ?? groupDirectory(undefined, group);
  const current = number(`${directory}/pids.current`);
  if (current === undefined) return undefined;
  const limit = number(`${directory}/pids.max`);
  return { current, ...(limit !== undefined && { limit }) };
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
