import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";

/** One scheme of a WWW-Authenticate header, and its parameters by lower-case name. */
export interface Challenge {
  scheme: string;
  params: ReadonlyMap<string, string>;
}

const headerLengthMax = 16 * 1024;
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const space = /[ \t]*/y;
const separators = /[ \t,]*/y;

/**
 * RFC 9110 11.6.1: `Bearer realm="https://a/t",service="r", Basic realm="x"`. Several headers arrive joined by commas,
 * which is the same grammar: a parameter has "=", a new scheme does not.
 *
 * @throws data-loss: malformed, or longer than 16 KiB
 */
export function parseChallenges(header: string): Challenge[] {
  if (header.length > headerLengthMax) throw malformed(header);
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(header)?.[0] ?? "";
    at += found.length;
    return found;
  };
  take(separators);
  while (at < header.length) {
    const scheme = take(token).toLowerCase();
    if (scheme === "") throw malformed(header);
    const params = new Map<string, string>();
    const gap = take(space);
    if (gap === "" && at < header.length && header[at] !== ",") throw malformed(header);
    if (gap === "" || take(token68) === "") at = parametersAt(header, at, params);
    challenges.push({ scheme, params });
    const end = at;
    take(separators);
    if (at === end && at < header.length) throw malformed(header);
  }
  return challenges;
}

/** Reads `name=value` and `name="value"` from `at` on; answers where the next scheme, or the end, is. */
function parametersAt(header: string, start: number, params: Map<string, string>): number {
  let at = start;
  for (;;) {
    separators.lastIndex = at;
    const from = at + (separators.exec(header)?.[0].length ?? 0);
    token.lastIndex = from;
    const name = token.exec(header)?.[0];
    if (name === undefined) return at;
    space.lastIndex = from + name.length;
    const equals = from + name.length + (space.exec(header)?.[0].length ?? 0);
    if (header[equals] !== "=") return at;
    space.lastIndex = equals + 1;
    const valueAt = equals + 1 + (space.exec(header)?.[0].length ?? 0);
    const [value, end] = header[valueAt] === '"' ? quotedAt(header, valueAt) : bareAt(header, valueAt);
    const key = name.toLowerCase();
    // The first of two counts, so that what is appended behind cannot override.
    if (!params.has(key)) params.set(key, value);
    at = end;
  }
}

function quotedAt(header: string, start: number): [value: string, end: number] {
  let value = "";
  for (let at = start + 1; at < header.length; at++) {
    if (header[at] === '"') return [value, at + 1];
    if (header[at] === "\\") at++;
    value += header[at] ?? "";
  }
  throw malformed(header);
}

function bareAt(header: string, start: number): [value: string, end: number] {
  token.lastIndex = start;
  const value = token.exec(header)?.[0];
  if (value === undefined) throw malformed(header);
  return [value, start + value.length];
}

function malformed(header: string): RtError {
  return new RtError("data-loss", `malformed WWW-Authenticate header: ${shown(header)}`);
}
