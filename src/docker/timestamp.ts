import { RtError } from "../base/errors.ts";
import { quote } from "../base/invalid.ts";

/**
 * A moment as Docker's --since and --until take it: RFC 3339 or the beginning of it (local time where it names no zone), Unix
 * seconds with or without a fraction, or how long ago ("10m", "1h30m"). Nanoseconds since 1970.
 * @param what "since" or "until", for the message
 * @throws RtError invalid-argument
 */
export function parseMoment(what: string, text: string, now_ms: number): bigint {
  const ago = text === "0" ? undefined : parseDuration(text);
  if (ago !== undefined) return BigInt(Math.round(now_ms)) * 1_000_000n - ago;
  const moment = parseTimestamp(text) ?? parseUnix(text);
  if (moment !== undefined) return moment;
  const why = `failed to parse value as time or duration: ${quote(text)}`;
  throw new RtError("invalid-argument", `invalid value for "${what}": ${why}`, { exitCode: 1 });
}

const timestamp =
  /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?)?)?([Zz]|[+-]\d\d:\d\d)?$/;

/** RFC 3339, or the beginning of it. @returns nanoseconds since 1970; undefined when it is none */
export function parseTimestamp(text: string): bigint | undefined {
  const match = timestamp.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone] = match;
  const parts = [year, month, day, hour, minute, second].map(Number);
  const [y, mo, d, h, mi, s] = parts as [number, number, number, number, number, number];
  const isLocal = zone === undefined;
  const date = isLocal ? new Date(y, mo - 1, d, h, mi, s) : new Date(Date.UTC(y, mo - 1, d, h, mi, s));
  // 13 months and 31 days in April are no date, though JavaScript goes on counting.
  const sameDay = (isLocal ? date.getDate() : date.getUTCDate()) === d;
  if (!sameDay || mo < 1 || mo > 12 || h > 23 || mi > 59 || s > 59) return undefined;
  const seconds = BigInt(date.getTime() / 1000 - offsetSeconds(zone));
  return seconds * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

function offsetSeconds(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const seconds = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4)) * 60;
  return zone.startsWith("-") ? -seconds : seconds;
}

function parseUnix(text: string): bigint | undefined {
  const match = /^(-?\d{1,15})(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (!match) return undefined;
  return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

const unit_ns: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's time.ParseDuration. @returns nanoseconds; undefined when it is none */
export function parseDuration(text: string): bigint | undefined {
  const match = /^([+-]?)((?:(?:\d{1,12}\.?\d{0,12}|\.\d{1,12})(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (!match) return undefined;
  let total = 0;
  for (const [, number, unit] of match[2]!.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g))
    total += Number(number) * unit_ns[unit!]!;
  const length = BigInt(Math.round(total));
  return match[1] === "-" ? -length : length;
}
