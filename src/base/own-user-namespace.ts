import { readFileSync, readlinkSync } from "node:fs";

/** The kernel's number of the host's own: PROC_USER_INIT_INO of <linux/proc_ns.h>. */
const initial = "user:[4026531837]";

let known: boolean | undefined;

/**
 * Is rt in the host's own user namespace, or in one that is as good: every number is its own there? Elsewhere root is an ordinary
 * user to the kernel in all that is not his namespace's. What rt is in it stays in.
 */
export function isInitialUserNamespace(): boolean {
  known ??= isInitial();
  return known;
}

function isInitial(): boolean {
  try {
    if (readlinkSync("/proc/self/ns/user") === initial) return true;
    return /^ *0 +0 +4294967295$/m.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return true; // no /proc, or a kernel without user namespaces
  }
}
