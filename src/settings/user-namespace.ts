import type { IdRange } from "../base/id-map.ts";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { AskedSettings } from "./container-settings.ts";
import { idNumber, parseIdRange } from "./id-mapping.ts";
import { joinedContainer, namespacePath } from "./namespace-mode.ts";

/**
 * `--userns`, as it is kept: "" where nobody says anything.
 *
 *   host                                  the one that rt runs in
 *   auto[:size=N,uidmapping=C:H:N,…]      ids of its own, that no other container has
 *   keep-id[:uid=N,gid=N,size=N]          the caller has his own number in the container, too
 *   nomap                                 the caller's number is nobody's in the container
 *   private                               its maps are those of --uidmap and --gidmap
 *   container:ID   ns:PATH                that of somebody else
 */
export type UserNamespace =
  | { kind: "" | "host" | "nomap" | "private" }
  | AutoNamespace
  | { kind: "keep-id"; uid?: number; gid?: number; size?: number }
  | { kind: "container"; container: string }
  | { kind: "ns"; path: string };

/** `uids`, `gids`: ranges that it has besides, as they are asked for. */
export interface AutoNamespace {
  kind: "auto";
  size?: number;
  uids: string[];
  gids: string[];
}

const words = ["", "host", "nomap", "private"] as const;

/** @throws RtError invalid-argument */
export function parseUsernsMode(text: string, what: string): string {
  userNamespaceOf(rejectControl(what, text), what);
  return text;
}

/** @throws RtError invalid-argument */
export function userNamespaceOf(text: string, what = "user namespace"): UserNamespace {
  const word = words.find((each) => each === text);
  if (word !== undefined) return { kind: word };
  const container = joinedContainer(text);
  if (container) return { kind: "container", container };
  const path = namespacePath(text);
  if (path?.startsWith("/")) return { kind: "ns", path };
  const [, kind, options] = /^(auto|keep-id)(?::(.*))?$/s.exec(text) ?? [];
  if (kind === "auto") return autoOf(options, `${what} ${quote(text)}`);
  if (kind === "keep-id") return keepIdOf(options, `${what} ${quote(text)}`);
  throw invalid(
    `invalid ${what} ${quote(text)}: want host, auto, keep-id, nomap, private, container:NAME or ns:PATH`,
  );
}

function autoOf(options: string | undefined, what: string): AutoNamespace {
  const auto: AutoNamespace = { kind: "auto", uids: [], gids: [] };
  for (const [key, value] of optionsOf(options, what)) {
    if (key === "size") auto.size = atLeastOne(value, what);
    else if (key === "uidmapping") auto.uids.push(checkedRange(value, what));
    else if (key === "gidmapping") auto.gids.push(checkedRange(value, what));
    else throw invalid(`invalid ${what}: unknown option ${quote(key)}: want size, uidmapping or gidmapping`);
  }
  return auto;
}

function checkedRange(text: string, what: string): string {
  parseIdRange(text, what);
  return text;
}

function keepIdOf(options: string | undefined, what: string): UserNamespace {
  const numbers: { uid?: number; gid?: number; size?: number } = {};
  for (const [key, value] of optionsOf(options, what)) {
    if (key !== "uid" && key !== "gid" && key !== "size")
      throw invalid(`invalid ${what}: unknown option ${quote(key)}: want uid, gid or size`);
    numbers[key] = key === "size" ? atLeastOne(value, what) : idNumber(value, `${what}: ${key}`);
  }
  return { kind: "keep-id", ...numbers };
}

/** "a=1,b=2" */
function optionsOf(text: string | undefined, what: string): [key: string, value: string][] {
  if (text === undefined) return [];
  const seen = new Set<string>();
  return text.split(",").map((option) => {
    const [, key, value] = /^([^=]*)=(.*)$/s.exec(option) ?? [];
    if (key === undefined || value === undefined)
      throw invalid(`invalid ${what}: ${quote(option)} is not an option: want KEY=VALUE`);
    if (seen.has(key) && !key.endsWith("mapping")) throw invalid(`invalid ${what}: ${key} is said twice`);
    seen.add(key);
    return [key, value];
  });
}

function atLeastOne(text: string, what: string): number {
  const size = idNumber(text, `${what}: size`);
  if (size > 0) return size;
  throw invalid(`invalid ${what}: size must be at least 1`);
}

export type UserNamespaceWishes = Pick<
  AskedSettings,
  "usernsMode" | "uidMap" | "gidMap" | "subuidName" | "subgidName"
>;

export function asksForMaps({ uidMap, gidMap, subuidName, subgidName }: UserNamespaceWishes): boolean {
  return uidMap.length + gidMap.length > 0 || subuidName + subgidName !== "";
}

/** What is asked for that cannot be had together. @throws RtError invalid-argument */
export function checkUserNamespace(wishes: UserNamespaceWishes): void {
  const { kind } = userNamespaceOf(wishes.usernsMode);
  const isMapped = asksForMaps(wishes);
  if (isMapped && kind !== "" && kind !== "private")
    throw invalid(
      `conflicting options: --userns ${kind} and --uidmap, --gidmap, --subuidname, --subgidname: leave one out`,
    );
  if (kind === "private" && !isMapped)
    throw invalid(
      "--userns private needs a map: give --uidmap, --gidmap, --subuidname, or use --userns auto",
    );
}

type Openness = Pick<AskedSettings, "privileged" | "pidMode" | "networkMode">;

/**
 * A container that is to have much of the host's does not get a user namespace only because the configuration says so, which
 * would take from it what it is for; nor does it lose it unnoticed. Docker's rule for a daemon with userns-remap, and its words.
 * @throws RtError invalid-argument
 */
export function checkConfiguredNamespace({ privileged, pidMode, networkMode }: Openness): void {
  const remedy =
    "the configuration gives each container its own; --userns=host is for one that is to have the host's";
  if (privileged) throw invalid(`privileged mode is incompatible with user namespaces: ${remedy}`);
  if (networkMode === "host")
    throw invalid(`cannot share the host's network namespace when user namespaces are enabled: ${remedy}`);
  if (pidMode === "host")
    throw invalid(`cannot share the host PID namespace when user namespaces are enabled: ${remedy}`);
}

/** podman's keep-id: the caller, who is 0 of `total` ids in the namespace around, is `id` here, and all else is as it is there. */
export function keptRanges(id: number, subordinates: number, size: number | undefined): IdRange[] {
  const count = size === undefined ? subordinates : Math.min(subordinates, size - 1);
  const below = Math.min(id, count);
  return [
    ...(below > 0 ? [{ container: 0, host: 1, size: below }] : []),
    { container: id, host: 0, size: 1 },
    ...(count > id ? [{ container: id + 1, host: id + 1, size: count - id }] : []),
  ];
}
