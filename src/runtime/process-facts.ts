import { readFileSync } from "node:fs";
import type { Member } from "./members.ts";

/** What /proc says of a process, in the kernel's units. Names and words are the process's own: anything may stand in them. */
export interface ProcessFacts {
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** As in stat's third field: "S", "R" … */
  state: string;
  /** The short name, and the words; those of a kernel thread or a zombie are none. */
  name: string;
  words: string[];
  uid: number;
  gid: number;
  /** dev_t of its terminal, 0 without one. */
  terminal: number;
  foregroundGroup: number;
  nice: number;
  priority: number;
  threads: number;
  processor: number;
  virtual_bytes: number;
  resident_kb: number;
  locked_kb: number;
  /** Seconds of processor time, and since when it is there (since the epoch). */
  processor_s: number;
  started_s: number;
}

/** Field 22 and the times of stat are in these: USER_HZ is 100 on every architecture of ours. */
const ticksPerSecond = 100;

/** Of those that are still there, in the order of their numbers. */
export function factsOf(members: readonly Member[]): ProcessFacts[] {
  const boot_s = Number(/^btime (\d+)$/m.exec(textOf("/proc/stat"))?.[1] ?? 0);
  return members.flatMap((member) => factsOfOne(member, boot_s) ?? []).sort((a, b) => a.pid - b.pid);
}

function factsOfOne({ pid, startTime }: Member, boot_s: number): ProcessFacts | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  const status = textOf(`/proc/${pid}/status`);
  const words = textOf(`/proc/${pid}/cmdline`);
  const end = stat.lastIndexOf(")");
  const fields = stat.slice(end + 2).split(" ");
  // Field 3 of proc_pid_stat(5) is the first behind the name. Another process may have the number by now.
  if (end < 0 || fields[19] !== startTime) return undefined;
  const field = (number: number) => Number(fields[number - 3]);
  const id = (name: string) => Number(new RegExp(`^${name}:\\t\\d+\\t(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const size = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
  return {
    pid,
    parent: field(4),
    group: field(5),
    session: field(6),
    state: fields[0]!,
    name: stat.slice(stat.indexOf("(") + 1, end),
    words: words === "" ? [] : words.replace(/\0$/, "").split("\0"),
    uid: id("Uid"),
    gid: id("Gid"),
    terminal: field(7),
    foregroundGroup: field(8),
    nice: field(19),
    priority: field(18),
    threads: field(20),
    processor: field(39),
    virtual_bytes: field(23),
    // Stat has the former too, and up to 64 pages of each processor late.
    resident_kb: size("VmRSS"),
    locked_kb: size("VmLck"),
    processor_s: (field(14) + field(15)) / ticksPerSecond,
    started_s: boot_s + field(22) / ticksPerSecond,
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it ends while we look
  }
}
