import { readFileSync } from "node:fs";
import { parseSignal } from "../base/signals.ts";

/** What whoever started us ignores (nohup, a shell's job in the background) stays ignored. proc_pid_status(5), SigIgn */
export function isHeeded(name: NodeJS.Signals): boolean {
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  return ((BigInt(`0x${ignored}`) >> BigInt(parseSignal(name).number - 1)) & 1n) === 0n;
}
