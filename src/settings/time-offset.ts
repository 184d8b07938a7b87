import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { SpecTimeOffset } from "../oci/runtime-spec.ts";
import { cut } from "./labels.ts";

/** What time_namespaces(7) can put back or forward; the time of day is no such clock. */
const clocks = ["monotonic", "boottime"] as const;

/** `--time-offset monotonic=-3600`, several times; of one clock the last counts. @throws RtError invalid-argument */
export function parseTimeOffsets(texts: readonly string[], what = "--time-offset"): Record<string, string> {
  const offsets = new Map<string, string>();
  for (const text of texts) {
    const [clock, seconds] = cut(rejectControl(what, text));
    if (seconds === undefined) throw invalid(`invalid ${what} ${quote(text)}: want CLOCK=SECONDS`);
    offsets.set(clock, seconds);
  }
  return checkTimeOffsets(Object.fromEntries(offsets), what);
}

/** @throws RtError invalid-argument */
export function checkTimeOffsets(
  offsets: Readonly<Record<string, string>>,
  what: string,
): Record<string, string> {
  for (const [clock, seconds] of Object.entries(offsets)) {
    const complain = (why: string) => invalid(`invalid ${what} ${quote(`${clock}=${seconds}`)}: ${why}`);
    if (!clocks.some((known) => known === clock))
      throw complain(`the clocks are ${clocks.join(" and ")}; the time of day is the host's`);
    if (!/^[-+]?\d{1,10}(\.\d{1,9})?$/.test(seconds))
      throw complain("want a number of seconds, as -3600 or 1.5");
  }
  return { ...offsets };
}

/** Undefined where its clocks are the host's. */
export function specTimeOffsets(
  offsets: Readonly<Record<string, string>>,
): { monotonic?: SpecTimeOffset; boottime?: SpecTimeOffset } | undefined {
  const entries = clocks.flatMap((clock) => {
    const seconds = offsets[clock];
    return seconds === undefined ? [] : [[clock, offsetOf(seconds)] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** The kernel adds the two, and wants the second between 0 and a second. */
function offsetOf(text: string): SpecTimeOffset {
  const [whole = "0", part = ""] = text.replace(/^[-+]/, "").split(".");
  const nanosecs = Number(part.padEnd(9, "0"));
  if (!text.startsWith("-")) return { secs: Number(whole), nanosecs };
  return nanosecs === 0
    ? { secs: -Number(whole) || 0, nanosecs }
    : { secs: -Number(whole) - 1, nanosecs: 1_000_000_000 - nanosecs };
}
