import { invalid, quote } from "../base/invalid.ts";
import { limitNames } from "../base/linux.ts";
import type { Ulimit } from "./container-settings.ts";

/** setrlimit(2)'s names as Docker writes them. */
const names = new Set(limitNames.map((name) => name.toLowerCase()));

/** `nofile=1024[:2048]`, -1 for unlimited. @throws RtError invalid-argument */
export function parseUlimit(text: string, what = "--ulimit"): Ulimit {
  const match = /^([^=]+)=([^=]*)$/.exec(text);
  if (!match) throw invalid(`invalid ${what} ${quote(text)}: want NAME=SOFT[:HARD]`);
  const name = match[1]!;
  if (!names.has(name)) throw invalid(`invalid ${what} ${quote(text)}: no limit is called ${quote(name)}`);
  const values = match[2]!.split(":");
  if (values.length > 2)
    throw invalid(`invalid ${what} ${quote(text)}: want at most two values, SOFT[:HARD]`);
  const [soft, hard] = values.map((value) => limit(value, `${what} ${quote(text)}`));
  const result = { name, soft: soft!, hard: hard ?? soft! };
  const above = result.hard !== -1 && (result.soft === -1 || result.soft > result.hard);
  if (above) throw invalid(`invalid ${what} ${quote(text)}: the soft limit is above the hard one`);
  return result;
}

function limit(value: string, what: string): number {
  const number = /^(-1|\d{1,16})$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw invalid(`invalid ${what}: ${quote(value)} is not a number`);
  return number;
}
