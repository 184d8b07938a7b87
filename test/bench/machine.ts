/** On what a table was made: figures mean nothing without it. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

export function load(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(" ");
}

export function machine(): string {
  const model = cpus()[0]?.model.trim() || modelOf(readFileSync("/proc/cpuinfo", "utf8"));
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`;
  return `${model}, ${cpus().length} cores, ${memory}, Linux ${release()}`;
}

/** Arm has no model name, only numbers. */
function modelOf(cpuinfo: string): string {
  return cpuinfo.match(/^(?:model name|CPU part)\s*:\s*(.+)$/m)?.[1] ?? "unknown CPU";
}
