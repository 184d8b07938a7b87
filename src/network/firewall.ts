import { existsSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { visible } from "../base/visible.ts";
import { parseAddress, parseCidr } from "./address.ts";
import { stationOf } from "./bridge.ts";
import { bridgeOptions } from "./bridge-options.ts";
import type { Firewall } from "./driver.ts";
import { Egress, type Restrained } from "./egress.ts";
import type { EndpointStore, NetworkEndpoint, Opening } from "./endpoint-store.ts";
import { families } from "./expressions.ts";
import { groupOf } from "./group.ts";
import { guard, type Station, stationChanges } from "./guard.ts";
import {
  changeElements,
  closedForward,
  type ElementChange,
  isStranger,
  replaceTable,
  tableComment,
} from "./netlink.ts";
import type { Network, NetworkStore } from "./network-store.ts";
import { openingChanges } from "./openings.ts";
import { portElements, portSetNames } from "./port-rules.ts";
import type { PortStore, PublishedPort } from "./port-store.ts";
import { type Fenced, fence, revision } from "./rules.ts";

/** nft(8) could not name a table `rt`: that is a word of its grammar. */
const tableName = "rt-networks";
/** At the end of the comment of a table that has no guard beside it. */
const unguarded = " unguarded";

/**
 * The tables of the firewall, which follow from the networks that there are, and from who is in them. They are not kept anywhere
 * else: what a table was made for stands in its comment, and where that is not what it should be, or the table is gone because
 * somebody has flushed all rules, it is made anew, as a whole. What belongs to one container comes and goes by itself. An rt with
 * a root of its own has tables of its own.
 */
export class Fence implements Firewall {
  readonly #store: NetworkStore;
  readonly #endpoints: EndpointStore;
  readonly #ports: PortStore;
  readonly #name: string;
  readonly egress: Egress;

  /** @param root rt's directory */
  constructor(store: NetworkStore, endpoints: EndpointStore, ports: PortStore, root: string) {
    this.#store = store;
    this.#endpoints = endpoints;
    this.#ports = ports;
    const digest = new Bun.CryptoHasher("sha256").update(root).digest("hex").slice(0, 8);
    this.#name = root === "/var/lib/rt" ? tableName : `${tableName}-${digest}`;
    this.egress = new Egress(this.#name.replace("networks", "egress"));
  }

  /** Two of us at once would each put in what they know: the second waits until the first has done it, and sees what it has. */
  ensure(warn: (line: string) => void): boolean {
    const said = this.#comment();
    const wanted = commentFor(this.#store.fingerprint());
    if (said === wanted || said === wanted + unguarded) return said === wanted;
    return this.restore(warn);
  }

  /** Whatever it says now. */
  restore(warn: (line: string) => void): boolean {
    let isGuarded = false;
    this.#store.exclusively(() => {
      isGuarded = this.#build(warn);
    });
    return isGuarded;
  }

  /** After a network went, while no other comes or goes. Where nobody has needed the fence yet it is not made for that. */
  refresh(warn: (line: string) => void): void {
    if (this.#comment() !== undefined) this.#build(warn);
  }

  /** Ports lead where they say from here on, or nowhere any more. @returns false where there is no fence */
  lead(isAdded: boolean, ports: readonly PublishedPort[]): boolean {
    if (isStranger()) return true;
    const changes = ([4, 6] as const).flatMap((family) => {
      const elements = portElements(family, ports);
      const place = { isAdded, family: families[family], table: this.#name };
      return portSetNames.map((set) => ({ ...place, set, elements: elements[set] }));
    });
    const some = changes.filter(({ elements }) => elements.length > 0);
    try {
      if (some.length > 0) changeElements(some);
      return true;
    } catch (error) {
      if (!isAbsent(error)) throw error;
      return false;
    }
  }

  admit(station: Station, warn: (line: string) => void): void {
    const changes = stationChanges(this.#name, station, true);
    try {
      changeElements(changes);
    } catch (error) {
      // Somebody has flushed all rules, or this kernel has no guard.
      if (!isAbsent(error)) throw error;
      if (this.ensure(warn) && this.restore(warn)) changeElements(changes);
    }
  }

  open(endpoint: NetworkEndpoint, warn: (line: string) => void): void {
    if (this.#endpoints.openingsOf(endpoint, "active").length === 0) return;
    // Whoever ends meanwhile takes away what is there: none is added after that.
    this.#store.exclusively(() => {
      const changes = this.#openingChanges([endpoint], true);
      try {
        if (changes.length > 0) changeElements(changes);
      } catch (error) {
        if (!isAbsent(error)) throw error;
        this.#build(warn);
      }
    });
  }

  #openingChanges(endpoints: readonly NetworkEndpoint[], isAdded: boolean): ElementChange[] {
    const openings = endpoints.flatMap((each) =>
      this.#endpoints.openingsOf(each, isAdded ? "active" : "all"),
    );
    return openingChanges(this.#name, openings, isAdded);
  }

  restrain(network: Network, endpoint: NetworkEndpoint): void {
    this.#store.exclusively(() =>
      this.egress.admit(placeOf(network, endpoint), () => this.#restrained(this.#networks())),
    );
  }

  /** What there is of them; it may be gone already. */
  dismiss(endpoints: readonly NetworkEndpoint[]): void {
    // Some have no MAC of their own, and no port.
    const stations = endpoints.filter(({ mac }) => mac !== "");
    const changes = stations.flatMap((each) => stationChanges(this.#name, stationOf(each), false));
    changes.push(...this.#openingChanges(stations, false));
    try {
      if (changes.length > 0) changeElements(changes);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    for (const each of endpoints) {
      const network = each.egress && this.#store.find(each.network);
      if (network) this.egress.dismiss(placeOf(network, each));
    }
  }

  #networks(): Network[] {
    return this.#store.list().filter(({ interface: link }) => link !== "");
  }

  #restrained(networks: readonly Network[]): Restrained[] {
    return networks.flatMap((network) => {
      const restrained = this.#endpoints.active(network.id).filter(({ egress }) => egress !== undefined);
      return restrained.map((endpoint) => placeOf(network, endpoint));
    });
  }

  #openings(networks: readonly Network[]): Opening[] {
    return networks.flatMap(({ id }) => this.#endpoints.openings(id));
  }

  #comment(): string | undefined {
    return tableComment(families[4], this.#name);
  }

  /** @returns whether the guard is there, too */
  #build(warn: (line: string) => void): boolean {
    const networks = this.#networks();
    const fenced = networks.map(fencedOf);
    const comment = commentFor(this.#store.fingerprint());
    const isGuarded = this.#buildGuard(comment, networks, fenced);
    const restrained = this.#restrained(networks);
    if (restrained.length > 0) this.egress.restore(restrained);
    else if (fenced.length === 0) this.egress.clear();
    // What `ensure` looks at comes last: before that nothing is done.
    this.#put(4, isGuarded ? comment : comment + unguarded, fenced);
    // Not where there are no networks at all, which is told then.
    if (!isGuarded)
      warn(
        "warning: this kernel has no nftables for bridges: containers of a network can take each other's addresses",
      );
    tellClosed(fenced, warn);
    return isGuarded;
  }

  #buildGuard(comment: string, networks: readonly Network[], fenced: readonly Fenced[]): boolean {
    const hasIpv6 = fenced.some(({ subnets }) => subnets.some(({ family }) => family === 6));
    if (hasIpv6) this.#put(6, comment, fenced);
    try {
      // A host that has IPv6 hears containers in it also where networks have none.
      if (!hasIpv6 && existsSync("/proc/sys/net/ipv6")) this.#put(6, comment, fenced);
      if (fenced.length === 0) {
        this.#clear(families.bridge);
        return true;
      }
      const bridges = networks.filter(({ driver }) => driver === "bridge");
      const endpoints = bridges.flatMap(({ id }) => this.#endpoints.active(id));
      replaceTable(guard(this.#name, comment, fenced, endpoints.map(stationOf), this.#openings(bridges)));
      return true;
    } catch (error) {
      if (!isAbsent(error)) throw error;
      return false;
    }
  }

  /** A table that nobody needs is not there. */
  #put(family: 4 | 6, comment: string, fenced: readonly Fenced[]): void {
    if (fenced.length > 0) {
      const openings = this.#openings(this.#networks());
      replaceTable(fence(family, this.#name, comment, fenced, this.#ports.published(), openings));
    } else this.#clear(families[family]);
  }

  #clear(family: number): void {
    if (tableComment(family, this.#name) !== undefined)
      replaceTable({ family, name: this.#name, comment: "", sets: [], chains: [] });
  }
}

/** What another firewall drops stays dropped, whatever ours says: said once, as nothing else would tell why nobody answers. */
function tellClosed(fenced: readonly Fenced[], warn: (line: string) => void): void {
  for (const family of [4, 6] as const) {
    const isOurs = ({ internal, subnets }: Fenced) =>
      !internal && subnets.some((subnet) => subnet.family === family);
    const closed = fenced.some(isOurs) && closedForward(families[family]);
    if (!closed) continue;
    const what = `chain ${visible(closed)} drops what this host forwards`;
    const so = `IPv${family} of networks leads out, and in by ports, as far as its rules let that through`;
    warn(`warning: ${what}: ${so}`);
  }
}

function placeOf(network: Network, endpoint: NetworkEndpoint): Restrained {
  const { bridge, subnets } = fencedOf(network);
  return { bridge, subnets, endpoint };
}

/** A table is not there, or this kernel cannot have it. */
function isAbsent(error: unknown): boolean {
  return error instanceof RtError && (error.code === "not-found" || error.code === "unsupported");
}

function commentFor(fingerprint: string): string {
  const digest = new Bun.CryptoHasher("sha256").update(fingerprint).digest("hex");
  return `${revision} ${digest.slice(0, 32)}`;
}

/** Of one that is damaged nothing but its interface is known: it leads nowhere until it is repaired. */
function fencedOf(network: Network): Fenced {
  const { driver } = network;
  const known = { bridge: network.interface, group: groupOf(network) };
  try {
    const { internal, options, subnets } = network.record;
    return {
      ...known,
      internal,
      subnets: subnets.map(({ subnet }) => parseCidr(subnet)!.subnet),
      gateways: driver === "bridge" ? subnets.flatMap(({ gateway }) => parseAddress(gateway) ?? []) : [],
      options: bridgeOptions(options),
    };
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return { ...known, internal: true, subnets: [], gateways: [], options: bridgeOptions({}) };
  }
}
