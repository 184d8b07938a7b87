import { readdirSync, statSync } from "node:fs";
import { asSystemError, RtError } from "../../base/errors.ts";
import { hostId, type IdMap, type IdRange } from "../../base/id-map.ts";
import { type IdSpan, sizeOfSpans } from "../../base/id-span.ts";
import { invalid, quote } from "../../base/invalid.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { IdStore } from "../../container/id-store.ts";
import type { Container } from "../../container/stored-container.ts";
import type { AskedSettings } from "../../settings/container-settings.ts";
import { checkRanges, cutRanges, type IdKind, rangesOf } from "../../settings/id-mapping.ts";
import {
  asksForMaps,
  checkConfiguredNamespace,
  checkUserNamespace,
  keptRanges,
  type UserNamespace,
  type UserNamespaceWishes,
  userNamespaceOf,
} from "../../settings/user-namespace.ts";
import type { Lease } from "../../store/leases.ts";
import type { Host } from "../host.ts";
import { automaticMap, type Need, needText } from "./automatic-ids.ts";
import { mapAround, mapsOfProcess, poolOf, spansAround, subordinateIdsOf } from "./host-ids.ts";

/** What a container is to be, as far as its user namespace decides: with the one that the configuration gives to those who name none. */
export async function withUserNamespace(host: Host, settings: AskedSettings): Promise<AskedSettings> {
  const { userns: configured = "" } = await host.config();
  const isSilent = settings.usernsMode === "" && !asksForMaps(settings);
  if (isSilent && (configured === "" || configured === "host")) return settings;
  checkUserNamespace(settings);
  if (isSilent) {
    userNamespaceOf(configured, "userns of the configuration");
    checkConfiguredNamespace(settings);
  }
  const asked = isSilent ? { ...settings, usernsMode: configured } : settings;
  const wish = userNamespaceOf(asked.usernsMode);
  if (wish.kind === "container")
    return { ...asked, usernsMode: `container:${neighbour(host, wish.container).id}` };
  if (asksForMaps(asked)) return { ...asked, usernsMode: "private" };
  if (wish.kind === "keep-id" && asked.user === "") return { ...asked, user: keptUser(wish) };
  return asked;
}

function neighbour(host: Host, name: string): Container {
  const container = host.containers.find(name);
  if (container) return container;
  throw new RtError("not-found", `No such container: ${name}`);
}

export interface Mapped {
  idMappings?: IdMap;
  /** Until the container is on record its ids are kept for it. */
  lease?: Lease;
}

/**
 * The maps of a new container's own user namespace; none: it is in the one that we are in.
 * @param needs what the image has of owners
 * @throws RtError invalid-argument | not-found | exhausted
 */
export async function idMappingsOf(
  host: Host,
  settings: UserNamespaceWishes,
  needs: () => Promise<Record<IdKind, Need>>,
): Promise<Mapped> {
  const wish = userNamespaceOf(settings.usernsMode);
  const isMapped = asksForMaps(settings);
  if (!isMapped && (wish.kind === "" || wish.kind === "host")) return {};
  if (wish.kind === "container") return held(host, ofContainer(neighbour(host, wish.container)));
  if (wish.kind === "ns") return held(host, ofPath(wish.path));
  const needed = await needs();
  if (wish.kind !== "auto") return held(host, checked(fixedMap(settings, wish), needed, wish.kind));
  const { usernsIds } = await host.config();
  const pools = { uids: poolOf("uids", usernsIds), gids: poolOf("gids", usernsIds) };
  const ids = new IdStore(host.database);
  const { map: idMappings, lease } = ids.hold((used) =>
    checked(
      automaticMap(wish, pools, needed, used, () => ids.holders()),
      needed,
      wish.kind,
    ),
  );
  return { idMappings, lease };
}

/** It is nobody else's while the container is made. */
function held(host: Host, map: IdMap | undefined): Mapped {
  if (!map) return {};
  return { idMappings: map, lease: new IdStore(host.database).hold(() => map).lease };
}

/** Of one that is in the namespace that we are in: none. */
function ofContainer(container: Container): IdMap | undefined {
  return container.record.idMappings;
}

/** @throws RtError invalid-argument: nobody's numbers can be told */
function ofPath(path: string): IdMap | undefined {
  const id = namespaceAt(path);
  if (id === undefined) throw invalid(`invalid --userns ${quote(`ns:${path}`)}: there is no user namespace`);
  if (id === namespaceAt("/proc/self/ns/user")) return undefined;
  const pid = /^\/proc\/(\d+)\/ns\/user$/.exec(path)?.[1] ?? inhabitantOf(id);
  if (pid === undefined)
    throw invalid(
      `invalid --userns ${quote(`ns:${path}`)}: no process is in there, whose /proc/PID/uid_map would tell its ids`,
    );
  return mapsOfProcess(Number(pid));
}

/** A namespace is known by its inode; of another file it is undefined. */
function namespaceAt(path: string): string | undefined {
  const nsfs = statAt("/proc/self/ns/user")?.dev;
  const stat = statAt(path);
  return stat && stat.dev === nsfs ? String(stat.ino) : undefined;
}

function statAt(path: string): { dev: number; ino: number } | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (asSystemError(error)) return undefined;
    throw error;
  }
}

function inhabitantOf(id: string): string | undefined {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return processes.find((pid) => namespaceAt(`/proc/${pid}/ns/user`) === id);
}

/** What somebody has said himself. */
function fixedMap(settings: UserNamespaceWishes, wish: UserNamespace): IdMap {
  if (wish.kind === "keep-id") return keptMap(wish);
  if (wish.kind === "nomap") return withoutCaller();
  const { uidMap, gidMap, subuidName, subgidName } = settings;
  const named = {
    uids: subuidName === "" ? subgidName : subuidName,
    gids: subgidName === "" ? subuidName : subgidName,
  };
  const texts = { uids: uidMap.length > 0 ? uidMap : gidMap, gids: gidMap.length > 0 ? gidMap : uidMap };
  const rangesFor = (kind: IdKind): IdRange[] => {
    const around = mapAround(kind);
    const subordinate = named[kind] === "" ? [] : consecutive(subordinateIdsOf(named[kind], kind), kind);
    const given = rangesOf(texts[kind], kind, around, isOrdinary());
    if (subordinate.length + given.length > 0 || !isOrdinary()) return [...subordinate, ...given];
    return rangesOf(["+0:0:1"], kind, around, true);
  };
  return { uids: rangesFor("uids"), gids: rangesFor("gids") };
}

function isOrdinary(): boolean {
  return rootlessCaller() !== undefined;
}

/** From 0 on, one behind the other, as podman has them; the file's numbers are the host's. */
function consecutive(spans: readonly IdSpan[], kind: IdKind): IdRange[] {
  let container = 0;
  const texts = spans.map(({ first, size }) => {
    const text = `${container}:@${first}:${size}`;
    container += size;
    return text;
  });
  return rangesOf(texts, kind, mapAround(kind), false);
}

/** @throws RtError invalid-argument: it is root who asks */
function callerFor(mode: string): { uid: number; gid: number } {
  const caller = rootlessCaller();
  if (caller) return caller;
  throw invalid(`--userns ${mode} is for an ordinary user: root has --userns auto, or --uidmap`);
}

function keptUser(wish: UserNamespace & { kind: "keep-id" }): string {
  const { uid, gid } = callerFor("keep-id");
  return `${wish.uid ?? uid}:${wish.gid ?? gid}`;
}

function keptMap(wish: UserNamespace & { kind: "keep-id" }): IdMap {
  const { uid, gid } = callerFor("keep-id");
  const rangesFor = (kind: IdKind, kept: number): IdRange[] => {
    const others = sizeOfSpans(spansAround(kind)) - 1;
    if (others > 0 || kept === 0) return keptRanges(kept, others, wish.size);
    throw needsSubordinates("keep-id", "or leave it out: what the container's root writes is yours");
  };
  return { uids: rangesFor("uids", wish.uid ?? uid), gids: rangesFor("gids", wish.gid ?? gid) };
}

/** The image's files have owners of their own, root if nobody else. */
function needsSubordinates(mode: string, otherwise?: string): RtError {
  const words = `--userns ${mode} needs subordinate ids: add a line for you to /etc/subuid and /etc/subgid`;
  return invalid(otherwise === undefined ? words : `${words}, ${otherwise}`);
}

function withoutCaller(): IdMap {
  callerFor("nomap");
  const rangesFor = (kind: IdKind): IdRange[] => {
    const others = sizeOfSpans(spansAround(kind)) - 1;
    if (others > 0) return [{ container: 0, host: 1, size: others }];
    throw needsSubordinates("nomap");
  };
  return { uids: rangesFor("uids"), gids: rangesFor("gids") };
}

/**
 * Numbers that are ours to give, with a root among them (but for keep-id, whose caller may have no number besides his own), and all
 * owners that the image has.
 * @throws RtError invalid-argument
 */
function checked(map: IdMap, needs: Record<IdKind, Need>, kind: UserNamespace["kind"]): IdMap {
  const rangesFor = (which: IdKind): IdRange[] => {
    const [flag, who] = which === "uids" ? ["--uidmap", "user"] : ["--gidmap", "group"];
    const ranges = cutRanges(map[which], mapAround(which));
    checkRanges(ranges, which, mapAround(which));
    if (kind !== "keep-id" && hostId(ranges, 0) === undefined)
      throw invalid(`the container's ${who} 0, its root's, is not in the map: add 0:HOST:SIZE with ${flag}`);
    const need = needs[which];
    if (hostId(ranges, need.highest) === undefined && !hasOneNumber(which))
      throw invalid(
        `${needText(need, who)}, who is not in the container's map: make that larger with ${flag} or --userns auto:size=N`,
      );
    return ranges;
  };
  return { uids: rangesFor("uids"), gids: rangesFor("gids") };
}

/** Where there is one number only, all files are its own, and whose they are in the image is a note beside them. */
function hasOneNumber(kind: IdKind): boolean {
  return sizeOfSpans(spansAround(kind)) === 1;
}
