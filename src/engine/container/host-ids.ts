import { readFileSync } from "node:fs";
import { isErrno, RtError, withCause } from "../../base/errors.ts";
import { type IdMap, type IdRange, idMax, parseKernelMap } from "../../base/id-map.ts";
import { type IdSpan, joinedSpans, spansWithout } from "../../base/id-span.ts";
import { rejectControl } from "../../base/invalid.ts";
import { readTextFile } from "../../base/text-file.ts";
import type { IdKind } from "../../settings/id-mapping.ts";
import { idsOf, parseSubordinateIds, type SubordinateIds } from "../../settings/subordinate-ids.ts";

const kernelFiles = { uids: "uid_map", gids: "gid_map" } as const;
const subordinateFiles = { uids: "/etc/subuid", gids: "/etc/subgid" } as const;
/** Whose third field is a number that somebody has. */
const accountFiles = { uids: "/etc/passwd", gids: "/etc/group" } as const;

/** More than a host with a million users has. */
const bytesMax = 64 << 20;

/** The numbers that there are in the user namespace that we are in, and what they are around it. */
export function mapAround(kind: IdKind, process: number | "self" = "self"): IdRange[] {
  try {
    return parseKernelMap(readFileSync(`/proc/${process}/${kernelFiles[kind]}`, "latin1"));
  } catch (error) {
    // A kernel without user namespaces has no such file, and all numbers.
    if (isErrno(error, "ENOENT") && process === "self") return [{ container: 0, host: 0, size: idMax + 1 }];
    throw withCause("cannot read the map of a user namespace", error);
  }
}

/** Every number is its own: the host's own namespace, or one that is as good. */
export function isWhole(around: readonly IdRange[]): boolean {
  const [first] = around;
  return first !== undefined && first.container === 0 && first.host === 0 && first.size > idMax;
}

function subordinates(kind: IdKind, owners: readonly string[]): SubordinateIds[] {
  const file = subordinateFiles[kind];
  return parseSubordinateIds(textOf(file), owners, file);
}

function textOf(file: string): string {
  try {
    return readTextFile(file, "the file", bytesMax);
  } catch (error) {
    if (error instanceof RtError && error.code === "not-found") return "";
    throw error;
  }
}

/**
 * What /etc/subuid or /etc/subgid says that `name`, a user by his name or his number, may give away.
 * @throws RtError invalid-argument: nothing; or a line of his is nonsense
 */
export function subordinateIdsOf(name: string, kind: IdKind): IdSpan[] {
  rejectControl("name", name);
  const owners = [name, ...otherNames(name)];
  return idsOf(subordinates(kind, owners), owners, subordinateFiles[kind]);
}

/** A user is in these files by his name or by his number. */
function otherNames(name: string): string[] {
  const accounts = textOf(accountFiles.uids).split("\n");
  const isNumber = /^\d+$/.test(name);
  return accounts.flatMap((line) => {
    const [user, , uid] = line.split(":");
    if (isNumber ? uid !== name : user !== name) return [];
    return [(isNumber ? user : uid) ?? ""].filter((other) => other !== "");
  });
}

/** The user whose ranges podman takes for `--userns auto` of root. */
const sharedName = "containers";

/**
 * Where nobody says which: numbers that nobody else gives to users or containers. Below are the users of directories (SSSD's
 * default goes up to 2000200000, and so does FreeIPA's), the ranges of useradd (up to 600100000) and of systemd-nspawn (up to
 * 1879048191); above are systemd's foreign ids (from 2147352576), and from 2^31 on what some programs take for negative, and the
 * ranges of podman's documentation and FreeIPA's subordinate ids. 65534, nobody, is far away. It is enough for 2238 containers.
 */
export const ownPool: IdSpan = { first: 0x77400000, size: 0x7ffe0000 - 0x77400000 };

export interface Pool {
  spans: IdSpan[];
  /** Where they are from, for messages. */
  from: string;
}

/**
 * The numbers for `--userns auto`: those of the configuration; or in a user namespace all that there are but its root's, as they
 * are for nobody else; or the ranges of the user `containers`; or a part of the host's that is nobody's.
 */
export function poolOf(kind: IdKind, configured: IdSpan | undefined): Pool {
  if (configured) return { spans: [configured], from: "userns-ids of the configuration" };
  const around = mapAround(kind);
  if (!isWhole(around)) {
    const all = around.map(({ container, size }) => ({ first: container, size }));
    return { spans: spansWithout(all, [{ first: 0, size: 1 }]), from: "the user namespace that rt is in" };
  }
  const file = subordinateFiles[kind];
  const shared = [sharedName, ...otherNames(sharedName)];
  const given = subordinates(kind, shared);
  if (isShared(shared)) return { spans: idsOf(given, shared, file), from: file };
  const accounts = textOf(accountFiles[kind]).split("\n");
  const numbers = accounts.map((line) => Number(line.split(":")[2] ?? "-")).filter(Number.isSafeInteger);
  const taken = [...given, ...numbers.map((first) => ({ first, size: 1 }))];
  return { spans: spansWithout([ownPool], taken), from: "rt's own range" };
}

/** Users and groups come from the same: one of the files alone is a mistake, and told. */
function isShared(owners: readonly string[]): boolean {
  return (["uids", "gids"] as const).some((kind) =>
    subordinates(kind, owners).some(({ owner }) => owners.includes(owner)),
  );
}

/** The maps of a namespace that a process is in, as they are seen from ours. */
export function mapsOfProcess(pid: number): IdMap {
  return { uids: mapAround("uids", pid), gids: mapAround("gids", pid) };
}

/** All numbers there are here. */
export function spansAround(kind: IdKind): IdSpan[] {
  return joinedSpans(mapAround(kind).map(({ container, size }) => ({ first: container, size })));
}
