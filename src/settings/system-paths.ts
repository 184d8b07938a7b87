import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { ContainerSettings } from "./container-settings.ts";

/** What of /proc and /sys a container neither sees nor changes, as the field's engines agree on it. In Docker's order. */

/** Nobody sees what is there. */
export const maskedPaths: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

/** Nobody writes to what is there. */
export const readonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** Masked too, of each processor that counts how often it was too hot. */
export function throttlePath(cpu: number | "*"): string {
  return `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`;
}

export interface SystemPaths {
  masked: string[];
  readonly: string[];
}

type Wishes = Pick<ContainerSettings, "privileged" | "mask" | "unmask" | "readonlyPaths">;

/**
 * Those of one container: the usual ones but for what it is to see, and what it is not to see besides. A privileged one has none of
 * the usual ones.
 * @param more that are usual on this host
 */
export function systemPaths(
  { privileged, mask, unmask, readonlyPaths: added }: Wishes,
  more: readonly string[] = [],
): SystemPaths {
  const usual = (paths: readonly string[]) => (privileged ? [] : paths.filter(isKept(unmask)));
  return {
    masked: [...new Set([...usual([...maskedPaths, ...more]), ...mask])],
    readonly: [...new Set([...usual(readonlyPaths), ...added])],
  };
}

function isKept(unmask: readonly string[]): (path: string) => boolean {
  if (unmask.length === 0) return () => true;
  if (unmask.includes(allPaths)) return () => false;
  const patterns = unmask.map(patternOf);
  return (path) => !patterns.some((pattern) => pattern.test(path));
}

/** Of `unmask`: every usual one. */
export const allPaths = "ALL";

/** @param what for the message @throws RtError invalid-argument */
export function checkSystemPath(path: string, what: string): string {
  rejectControl(what, path);
  if (!path.startsWith("/")) throw invalid(`invalid ${what} ${quote(path)}: want an absolute path`);
  if (isWholeTree(path)) throw invalid(`invalid ${what} ${quote(path)}: that is the whole file tree`);
  return path;
}

/** "/", and "/proc/.." too. */
export function isWholeTree(path: string): boolean {
  return posix.resolve("/", path) === "/";
}

/** Docker's documents have lists of all of them; what these say of the usual ones is said as `mask` and `unmask`. */
export function wishesOfLists(
  masked: readonly string[] | undefined,
  readonly: readonly string[] | undefined,
): Omit<Wishes, "privileged"> {
  const [seen, written] = [without(maskedPaths, masked), without(readonlyPaths, readonly)];
  // What is usual on some hosts only is in no list.
  const isOpen = seen.length === maskedPaths.length;
  const all = isOpen && written.length === readonlyPaths.length;
  return {
    mask: without(masked ?? [], maskedPaths),
    unmask: all ? [allPaths] : [...seen, ...(isOpen ? [throttlePath("*")] : []), ...written],
    readonlyPaths: without(readonly ?? [], readonlyPaths),
  };
}

/** Nothing is taken away by a list that was not given. */
function without(paths: readonly string[], others: readonly string[] | undefined): string[] {
  return others ? paths.filter((path) => !others.includes(path)) : [];
}

/**
 * Go's filepath.Match, which podman has: * and ? but for slashes, [a-z], [^a-z], and \ before what stands for itself.
 * @throws SyntaxError that is no pattern
 */
export function patternOf(glob: string): RegExp {
  const parts = glob.match(/\\.|\[\^?(?:\\.|[^\]\\])+\]|./gs) ?? [];
  return new RegExp(`^${parts.map(expressionOf).join("")}$`, "s");
}

function expressionOf(part: string): string {
  if (part === "*") return "[^/]*";
  if (part === "?") return "[^/]";
  if (["[", "[^]", "\\"].includes(part)) throw new SyntaxError("it does not end");
  const [, negated, letters] = /^\[(\^?)(.+)\]$/s.exec(part) ?? [];
  if (letters !== undefined) return `(?!/)[${negated}${letters.replace(/[[^]/g, "\\$&")}]`;
  return part.replace(/^\\(?=.)/s, "").replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
