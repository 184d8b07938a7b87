import { RtError } from "./errors.ts";

/**
 * The maps of a user namespace (user_namespaces(7)): a container's numbers, and whose they are on the host; what /proc/PID/uid_map
 * has, line by line. Ranges of one kind never overlap, on either side.
 */
export interface IdRange {
  container: number;
  host: number;
  size: number;
}

export interface IdMap {
  uids: IdRange[];
  gids: IdRange[];
}

/** 2^32 - 1 is nobody: (uid_t) -1. */
export const idMax = 2 ** 32 - 2;

/** Whose number `id` of the container is on the host; undefined: nobody's. */
export function hostId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ container, size }) => id >= container && id - container < size);
  return range && range.host + (id - range.container);
}

/** The other way round. */
export function containerId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ host, size }) => id >= host && id - host < size);
  return range && range.container + (id - range.host);
}

/** Whose `uid` and `gid` of the container are. @throws invalid-argument: it has none such */
export function hostOwner(map: IdMap, uid: number, gid: number): { uid: number; gid: number } {
  const [user, group] = [hostId(map.uids, uid), hostId(map.gids, gid)];
  if (user !== undefined && group !== undefined) return { uid: user, gid: group };
  throw new RtError("invalid-argument", `the owner of /, ${uid}:${gid}, is not in the container's maps`);
}

/** As podman and Docker's daemon write a range: "0:100000:65536". */
export function rangeText({ container, host, size }: IdRange): string {
  return `${container}:${host}:${size}`;
}

/** By the container's numbers, and what continues a range is part of it: the fewest lines that say the same. */
export function mergedRanges(ranges: readonly IdRange[]): IdRange[] {
  const merged: IdRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.container - b.container)) {
    const last = merged.at(-1);
    const goesOn =
      last && last.container + last.size === range.container && last.host + last.size === range.host;
    if (goesOn) last.size += range.size;
    else merged.push({ ...range });
  }
  return merged;
}

/** What /proc/PID/uid_map says: the numbers there, and what they are in our own namespace. */
export function parseKernelMap(text: string): IdRange[] {
  return text.split("\n").flatMap((line) => {
    const [, container, host, size] = /^\s*(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})\s*$/.exec(line) ?? [];
    return size === undefined ? [] : [{ container: +container!, host: +host!, size: +size }];
  });
}
