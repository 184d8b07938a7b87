import { containerId, type IdRange, idMax, mergedRanges } from "../base/id-map.ts";
import { type IdSpan, joinedSpans, spansWithout } from "../base/id-span.ts";
import { invalid, quote } from "../base/invalid.ts";

/**
 * `--uidmap [+][u][g]CONTAINER:[@]HOST[:SIZE]`, as podman has it.
 *
 *   @   HOST is a number of the host's, whatever it is called in the namespace that we are in
 *   +   takes the place of what earlier ranges say of these numbers
 *   u   of users alone: it is not taken for --gidmap too, where there is none; g the other way round
 */
interface IdMapping extends IdRange {
  ofHost: boolean;
  extends: boolean;
  users: boolean;
  groups: boolean;
}

export type IdKind = "uids" | "gids";

const form = /^([+ug]{0,3})(\d{1,10}):(@?)(\d{1,10})(?::(\d{1,10}))?$/;

/** @throws RtError invalid-argument */
function readMapping(text: string, what: string): IdMapping {
  const [, flags = "", container, at, host, size = "1"] = form.exec(text) ?? [];
  const range = { container: Number(container), host: Number(host), size: Number(size) };
  const isGood = range.size > 0 && Math.max(range.container, range.host) + range.size - 1 <= idMax;
  if (container === undefined || !isGood || new Set(flags).size < flags.length)
    throw invalid(
      `invalid ${what} ${quote(text)}: want [+][u|g]CONTAINER:[@]HOST[:SIZE], with numbers from 0 to ${idMax}`,
    );
  const one = flags.includes("u") !== flags.includes("g");
  return {
    ...range,
    ofHost: at === "@",
    extends: flags.includes("+"),
    users: !one || flags.includes("u"),
    groups: !one || flags.includes("g"),
  };
}

/** As it is kept. @throws RtError invalid-argument */
export function parseIdMapping(text: string, what: string): string {
  const { container, host, size, ofHost, users, groups, extends: replaces } = readMapping(text, what);
  const only = users === groups ? "" : users ? "u" : "g";
  return `${replaces ? "+" : ""}${only}${container}:${ofHost ? "@" : ""}${host}:${size}`;
}

/** Without letters: of an option of `--userns auto`. @throws RtError invalid-argument */
export function parseIdRange(text: string, what: string): string {
  if (/^\d/.test(text)) return parseIdMapping(text, what);
  throw invalid(`invalid ${what}: bad mapping ${quote(text)}: want CONTAINER:[@]HOST[:SIZE]`);
}

/** @throws RtError invalid-argument */
export function idNumber(text: string, what: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (id <= idMax) return id;
  throw invalid(`invalid ${what} ${quote(text)}: want a number from 0 to ${idMax}`);
}

/**
 * The ranges that the texts come to.
 * @param around the map of the namespace that we are in: its numbers, and the host's
 * @param fill what a first range with "+" leaves of the numbers there is mapped too, from 0 on: an ordinary user means all of his
 * @throws RtError invalid-argument
 */
export function rangesOf(
  texts: readonly string[],
  kind: IdKind,
  around: readonly IdRange[],
  fill: boolean,
): IdRange[] {
  const what = kind === "uids" ? "--uidmap" : "--gidmap";
  let ranges: IdRange[] = [];
  let filling = false;
  for (const text of texts) {
    const mapping = readMapping(text, what);
    if (!(kind === "uids" ? mapping.users : mapping.groups)) continue;
    filling ||= fill && mapping.extends && ranges.length === 0;
    for (const range of seenFromHere(mapping, around, `${what} ${quote(text)}`))
      ranges = [...(mapping.extends ? withoutRange(ranges, range) : ranges), range];
  }
  return mergedRanges(filling ? filled(ranges, around) : ranges);
}

/** A range of the host's may be several of ours. */
function seenFromHere(
  { container, host, size, ofHost }: IdMapping,
  around: readonly IdRange[],
  what: string,
): IdRange[] {
  if (!ofHost) return [{ container, host, size }];
  const found: IdRange[] = [];
  for (let done = 0; done < size; ) {
    const at = host + done;
    const own = containerId(around, at);
    if (own === undefined) throw invalid(`invalid ${what}: ${at} of the host is not ours to give`);
    const { host: start, size: count } = around.find((each) => containerId([each], at) !== undefined)!;
    const part = Math.min(size - done, start + count - at);
    found.push({ container: container + done, host: own, size: part });
    done += part;
  }
  return found;
}

/** Neither side of `other` is in any of them. */
function withoutRange(ranges: readonly IdRange[], other: IdRange): IdRange[] {
  return ranges.flatMap((range) => {
    const cut = (from: number): IdSpan => ({ first: from, size: other.size });
    const rest = spansWithout(
      [{ first: 0, size: range.size }],
      [cut(other.container - range.container), cut(other.host - range.host)],
    );
    return rest.map(({ first, size }) => ({
      container: range.container + first,
      host: range.host + first,
      size,
    }));
  });
}

/** With all the numbers there that are in no range: in the order of both sides, and the last of them behind the last range. */
function filled(ranges: readonly IdRange[], around: readonly IdRange[]): IdRange[] {
  const hosts = ranges.map(({ host, size }) => ({ first: host, size }));
  const taken = ranges.map(({ container, size }) => ({ first: container, size }));
  const free = spansWithout(
    around.map(({ container, size }) => ({ first: container, size })),
    hosts,
  );
  const places = spansWithout([{ first: 0, size: idMax + 1 }], taken);
  return [...ranges, ...paired(places, free)];
}

/** The numbers of `places` in their order, with those of `hosts` in theirs. */
export function paired(places: readonly IdSpan[], hosts: readonly IdSpan[]): IdRange[] {
  const [left, right] = [places.map((each) => ({ ...each })), hosts.map((each) => ({ ...each }))];
  const pairs: IdRange[] = [];
  while (left[0] && right[0]) {
    const size = Math.min(left[0].size, right[0].size);
    pairs.push({ container: left[0].first, host: right[0].first, size });
    for (const list of [left, right]) {
      const span = list[0]!;
      span.first += size;
      span.size -= size;
      if (span.size === 0) list.shift();
    }
  }
  return pairs;
}

/** The same in as many ranges as it takes: each is wholly in one of those around, or Linux refuses it (EPERM). */
export function cutRanges(ranges: readonly IdRange[], around: readonly IdRange[]): IdRange[] {
  return ranges.flatMap((range) => {
    const cut: IdRange[] = [];
    for (let done = 0; done < range.size; ) {
      const host = range.host + done;
      const outer = around.find(({ container, size }) => host >= container && host - container < size);
      // What is not ours is told by `checkRanges`.
      const left = outer ? outer.container + outer.size - host : range.size;
      const size = Math.min(range.size - done, left);
      cut.push({ container: range.container + done, host, size });
      done += size;
    }
    return cut;
  });
}

/** What the kernel takes (user_namespaces(7)). */
const rangesMax = 340;

/**
 * Ranges that a namespace can have, of numbers that are ours to give.
 * @param around the map of the namespace that we are in
 * @throws RtError invalid-argument, with the first number that is wrong
 */
export function checkRanges(ranges: readonly IdRange[], kind: IdKind, around: readonly IdRange[]): void {
  const [flag, who] = kind === "uids" ? ["--uidmap", "user"] : ["--gidmap", "group"];
  if (ranges.length > rangesMax)
    throw invalid(
      `the map of ${who}s has ${ranges.length} ranges: more than ${rangesMax} are refused by Linux`,
    );
  const inside = ranges.map(({ container, size }) => ({ first: container, size }));
  const outside = ranges.map(({ host, size }) => ({ first: host, size }));
  const twice = firstTwice(inside);
  if (twice !== undefined)
    throw invalid(`conflicting options: ${who} ${twice} of the container is mapped twice: see ${flag}`);
  const shared = firstTwice(outside);
  if (shared !== undefined)
    throw invalid(
      `conflicting options: ${who} ${shared} of the host would be two ${who}s of the container: see ${flag}`,
    );
  const own = joinedSpans(around.map(({ container, size }) => ({ first: container, size })));
  const strange = spansWithout(outside, own)[0];
  if (strange)
    throw invalid(
      `${who} ${strange.first} is not ours to give: here are ${spanTexts(own)}: choose others with ${flag}`,
    );
}

function firstTwice(spans: readonly IdSpan[]): number | undefined {
  const sorted = spans.toSorted((a, b) => a.first - b.first);
  return sorted.find(
    ({ first }, index) => index > 0 && first < sorted[index - 1]!.first + sorted[index - 1]!.size,
  )?.first;
}

export function spanTexts(spans: readonly IdSpan[]): string {
  const shown = spans
    .slice(0, 4)
    .map(({ first, size }) => (size === 1 ? `${first}` : `${first}-${first + size - 1}`));
  return `${shown.join(", ")}${spans.length > 4 ? ", …" : ""}` || "none";
}
