import { RtError } from "../base/errors.ts";
import { type Address, parseAddress } from "./address.ts";
import { groupOf } from "./group.ts";
import { linkFacts, type Operation, operate, refused } from "./netlink.ts";
import type { Network } from "./network-store.ts";

/**
 * The interface of the host that those of containers stand on (macvlan, ipvlan). Three kinds of it, as Docker has them:
 *
 *   -o parent=eth0       somebody else's: it is there, and nothing happens to it
 *   -o parent=eth0.20    the wire of eth0 with a tag (802.1Q): where it is not there we make it
 *   nothing              one of ours with nothing behind it: containers reach each other, and nobody else
 *
 * What we make goes with the last network on it. Its group tells whose it is; when that network goes first it is handed on.
 */
export interface Parent {
  name: string;
  /** The wire, and the tag. */
  tagged?: { on: string; tag: number };
  /** It has nothing behind it. */
  isOurs: boolean;
}

type Options = Readonly<Record<string, string>>;

const parentOption = "parent";

/** @param letters what Docker begins the names of its own with: "dm" */
export function parentOf(letters: string, id: string, options: Options): Parent {
  const name = options[parentOption] ?? "";
  if (name === "") return { name: `${letters}-${id.slice(0, 12)}`, isOurs: true };
  const [, on, digits] = /^(.+)\.([1-9]\d{0,3})$/.exec(name) ?? [];
  const tag = Number(digits);
  return { name, ...(on !== undefined && tag <= 4094 && { tagged: { on, tag } }), isOurs: false };
}

/** @throws RtError invalid-argument */
export function checkParentName(name: string, driver: string): void {
  const invalid = (why: string) =>
    new RtError("invalid-argument", `invalid option parent=${JSON.stringify(name)}: ${why}`, { exitCode: 1 });
  if (name === "lo") throw invalid(`loopback interface is not a valid ${driver} parent link`);
  const isName = /^[!-~]{1,15}$/.test(name) && !/[/:]/.test(name) && name !== "." && name !== "..";
  if (name !== "" && !isName)
    throw invalid("want the name of an interface of this host, as eth0, or eth0.20 with a tag");
}

/** @throws RtError not-found: it is not there, nor what it could be made of */
export function checkParent({ name, tagged, isOurs }: Parent): void {
  if (isOurs || linkFacts(name) || (tagged && linkFacts(tagged.on))) return;
  throw new RtError("not-found", missing(tagged?.on ?? name), { exitCode: 1 });
}

export function missing(name: string): string {
  return `the parent interface ${name} was not found on this host`;
}

/** Those of a driver that stand on it. Of one that is damaged nobody knows. */
export function networksOn(name: string, driver: string, networks: readonly Network[]): Network[] {
  return networks.filter((each) => each.driver === driver && optionsOf(each)?.[parentOption] === name);
}

export function optionsOf(network: Network): Options | undefined {
  try {
    return network.record.options;
  } catch (error) {
    if (error instanceof RtError) return undefined;
    throw error;
  }
}

/** The host's own on it: a container that took one would take the host off the wire. */
export function addressesOf({ name }: Parent): Address[] {
  // node:os is not on the way of a run.
  const { networkInterfaces } = require("node:os") as typeof import("node:os");
  const all = networkInterfaces()[name] ?? [];
  return all.map(({ address }) => parseAddress(address)).filter((address) => address !== undefined);
}

/** It is there from now on. @throws RtError */
export function makeParent(network: Network, { name, tagged, isOurs }: Parent): void {
  if (linkFacts(name)) return;
  const group = groupOf(network);
  const what = `cannot bring network ${network.name} up`;
  if (!isOurs && !tagged) throw new RtError("not-found", `${what}: ${missing(name)}`);
  const candidates: Operation[] = tagged
    ? [{ vlan: { name: tagged.on, link: { name, id: tagged.tag, group } } }]
    : [{ plain: { name, kind: "dummy", group } }, { plain: { name, kind: "ifb", group } }];
  for (const [position, candidate] of candidates.entries()) {
    const refusal = operate([candidate]);
    // Somebody else was first.
    if (!refusal || (refusal.errno === "EEXIST" && linkFacts(name))) return;
    const isUnknown = refusal.errno === "EOPNOTSUPP";
    if (isUnknown && position + 1 < candidates.length) continue;
    if (isUnknown) {
      const kind = tagged ? "interfaces with tags (8021q)" : "dummy interfaces";
      throw new RtError("unsupported", `${what}: this kernel has no ${kind}`);
    }
    if (tagged && !linkFacts(tagged.on)) throw new RtError("not-found", `${what}: ${missing(tagged.on)}`);
    throw refused(what, refusal);
  }
}

/**
 * It goes, if the network has made it, or is another's from now on.
 * @param parent undefined: nobody knows
 * @param successors networks that stand on it still
 */
export function leaveParent(network: Network, parent: Parent | undefined, [next]: readonly Network[]): void {
  const group = groupOf(network);
  const handsOn = parent !== undefined && next !== undefined;
  if (handsOn && linkFacts(parent.name)?.group !== group) return;
  const refusal = operate([
    handsOn ? { group: { name: parent.name, group: groupOf(next) } } : { removeGroup: { group } },
  ]);
  if (refusal && refusal.errno !== "ENODEV") throw refused(`cannot remove network ${network.name}`, refusal);
}
