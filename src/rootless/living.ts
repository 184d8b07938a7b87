import { readdirSync, readFileSync } from "node:fs";
import { native } from "../native/ffi.ts";
import { openUserNamespace } from "../native/system.ts";

/**
 * The user namespace of containers that have outlived its holder, by one of their monitors; undefined where none lives. A process
 * only calls itself a monitor, but its namespace is this user's own.
 */
export function openLivingNamespace(uid: number): number | undefined {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !isMonitor(name)) continue;
    const pid = Number(name);
    const namespace = openUserNamespace(pid, BigInt(native().rt_start_time(pid)), uid);
    if (namespace !== undefined) return namespace;
  }
  return undefined;
}

/** One that has ended and that nobody has reaped would still name its namespace. */
export function isMonitor(pid: string): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return status.startsWith("Name:\trt-monitor\n") && !/^State:\t[ZX]/m.test(status);
  } catch {
    return false; // gone meanwhile
  }
}
