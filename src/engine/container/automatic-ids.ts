import { RtError } from "../../base/errors.ts";
import type { IdMap, IdRange } from "../../base/id-map.ts";
import { type IdSpan, sizeOfSpans, spansWithout, takeFrom } from "../../base/id-span.ts";
import { quote } from "../../base/invalid.ts";
import type { UsedIds } from "../../container/id-store.ts";
import { type IdKind, paired, rangesOf } from "../../settings/id-mapping.ts";
import type { AutoNamespace } from "../../settings/user-namespace.ts";
import { mapAround, type Pool } from "./host-ids.ts";

/** nobody and nogroup of every image: Debian's apt is in that group. */
export const nobody = 65534;
const usualSize = 65536;
/** podman's, where numbers are few. */
const smallSize = 1024;
/** What a container gets of itself: for more somebody has to say how many. */
const sizeMax = 1 << 20;
/** Where there are as many numbers, each container has the usual ones. */
const plenty = 64 * usualSize;

/** The highest number that a container has to have, but for nobody's. */
export interface Need {
  highest: number;
  /** What belongs to it in the image; undefined: its program is to be that. */
  path?: string | undefined;
}

/** "\"/srv\" of the image belongs to user 7000" */
export function needText({ highest, path }: Need, who: string): string {
  return path === undefined
    ? `the program is to be ${who} ${highest}`
    : `${quote(path)} of the image belongs to ${who} ${highest}`;
}

/**
 * The container's numbers that get some of the host's. `size` from 0 on, where somebody says so. Else 65,536, as every image and
 * every program expects; where the host has few numbers, as an ordinary user's, what the image needs, at least 1,024, and nobody.
 * An image that needs more gets it.
 * @throws RtError invalid-argument: that would be too many, and nobody has asked for it
 */
export function wantedIds({ size }: AutoNamespace, pool: Pool, need: Need, who: string): IdSpan[] {
  if (size !== undefined) return [{ first: 0, size }];
  const needed = need.highest + 1;
  if (needed > sizeMax)
    throw new RtError(
      "invalid-argument",
      `${needText(need, who)}: --userns auto has up to ${sizeMax} ids: ask for more with --userns auto:size=${needed}`,
    );
  const isPlenty = sizeOfSpans(pool.spans) >= plenty;
  const least = isPlenty ? usualSize : smallSize;
  if (needed > nobody || isPlenty) return [{ first: 0, size: Math.max(least, needed) }];
  return [
    { first: 0, size: Math.max(least, needed) },
    { first: nobody, size: 1 },
  ];
}

/** @throws RtError exhausted */
export function automaticMap(
  asked: AutoNamespace,
  pools: Record<IdKind, Pool>,
  needs: Record<IdKind, Need>,
  used: UsedIds,
  holders: () => string[],
): IdMap {
  const rangesFor = (kind: IdKind): IdRange[] => {
    const pool = pools[kind];
    const fixed = rangesOf(asked[kind], kind, mapAround(kind), false);
    const [inside, outside] = sidesOf(fixed);
    const who = kind === "uids" ? "user" : "group";
    const places = spansWithout(wantedIds(asked, pool, needs[kind], who), inside);
    const free = spansWithout(pool.spans, [...used[kind], ...outside]);
    const hosts = takeFrom(free, sizeOfSpans(places));
    if (!hosts) throw exhausted(sizeOfSpans(places), free, pool, kind, holders());
    return [...paired(places, hosts), ...fixed].toSorted((a, b) => a.container - b.container);
  };
  return { uids: rangesFor("uids"), gids: rangesFor("gids") };
}

function sidesOf(ranges: readonly IdRange[]): [inside: IdSpan[], outside: IdSpan[]] {
  const inside = ranges.map(({ container, size }) => ({ first: container, size }));
  return [inside, ranges.map(({ host, size }) => ({ first: host, size }))];
}

function exhausted(
  size: number,
  free: readonly IdSpan[],
  { spans, from }: Pool,
  kind: IdKind,
  holders: readonly string[],
): RtError {
  const what = kind === "uids" ? "users" : "groups";
  const whose = holders.length === 0 ? "" : `, others are those of ${holders.join(", ")}`;
  const counts = `${sizeOfSpans(free)} of ${sizeOfSpans(spans)} are free (${from})${whose}`;
  return new RtError(
    "exhausted",
    `no ids for --userns auto: it takes ${size} ${what}, and ${counts}: remove containers, or ask for fewer with auto:size=N`,
  );
}
