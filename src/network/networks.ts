import { existsSync, readFileSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import type { Database } from "../store/database.ts";
import { bridgeDriver, nameOption } from "./bridge.ts";
import type { NetworkDriver } from "./driver.ts";
import { EndpointStore } from "./endpoint-store.ts";
import { Fence } from "./firewall.ts";
import { linkFacts, routeDestinations } from "./netlink.ts";
import { type Network, type NetworkPlan, NetworkStore } from "./network-store.ts";
import { type AskedSubnets, planSubnets } from "./plan.ts";

/** A network as somebody asks for it. */
export interface AskedNetwork extends Omit<AskedSubnets, "isDefault"> {
  name: string;
  driver: string;
  labels: Record<string, string>;
  options: Record<string, string>;
  internal: boolean;
}

const defaultInterface = "rt0";
const plain = { subnets: [], gateways: [], ranges: [], auxiliary: {}, ipv6: false, isDefault: true };

/** The networks of one rt: what there is, who is in them, and what keeps them apart. */
export class Networks {
  readonly store: NetworkStore;
  readonly endpoints: EndpointStore;
  readonly #fence: Fence;

  /** @param root rt's directory */
  constructor(database: Database, root: string) {
    this.store = new NetworkStore(database);
    this.endpoints = new EndpointStore(database);
    this.#fence = new Fence(this.store, root);
  }

  /** @throws RtError not-found: there is none of this name */
  driver(name: string, warn: (line: string) => void): NetworkDriver {
    if (name === "bridge") return bridgeDriver(this.#fence, warn);
    throw new RtError("not-found", `could not find plugin ${name} in v1 plugin registry: plugin not found`, {
      exitCode: 1,
    });
  }

  /** @throws RtError conflict | invalid-argument | exhausted | unsupported */
  create(asked: AskedNetwork, warn: (line: string) => void): Network {
    const { name, driver, labels, options, internal } = asked;
    this.driver(driver, warn).checkOptions(options);
    const routes = routeDestinations();
    return this.store.create(name, driver, (id, others) => {
      const link = options[nameOption] ?? `rt-${id.slice(0, 12)}`;
      const user = others.find((each) => each.interface === link);
      if (user) {
        const message = `the interface ${link} is that of network ${user.name}`;
        throw new RtError("conflict", message, { exitCode: 1 });
      }
      const subnets = planSubnets({ ...asked, isDefault: false }, { others, routes, seed: hostSeed() });
      return { interface: link, record: { labels, options, internal, subnets } };
    });
  }

  /** The network, with its subnets: those of the default one are chosen when it is first needed. */
  settled(network: Network): Network {
    if (network.driver !== "bridge" || network.interface !== "") return network;
    const routes = routeDestinations();
    return this.store.change(network.id, ({ id, interface: chosen, record }, others) => {
      if (chosen !== "") return undefined;
      const link = linkFacts(defaultInterface) === undefined ? defaultInterface : `rt-${id.slice(0, 12)}`;
      const subnets = planSubnets(plain, { others, routes, seed: hostSeed() });
      return { interface: link, record: { ...record, subnets } };
    });
  }

  /** @throws RtError not-found | forbidden | conflict */
  remove(text: string, warn: (line: string) => void): Network {
    return this.store.take(
      text,
      (id) => this.#usersOf(id),
      (network) => this.#takeDown(network, warn),
    );
  }

  #takeDown(network: Network, warn: (line: string) => void): void {
    this.driver(network.driver, warn).takeDown(network);
    this.#fence.refresh();
  }

  /** What the default network has on this host goes, until it is needed again, unless somebody is in it. */
  rest(network: Network, warn: (line: string) => void): void {
    const idle = ({ id, interface: link, record }: Network): NetworkPlan | undefined =>
      link !== "" && this.endpoints.active(id).length === 0
        ? { interface: "", record: { ...record, subnets: [] } }
        : undefined;
    this.store.change(network.id, idle, () => this.#takeDown(network, warn));
  }

  /** What containers that run need on the host is made again, whatever somebody has done to it. */
  restore(warn: (line: string) => void): void {
    const used = this.store.list().filter(({ interface: link }) => link !== "");
    const places = used.map((network) => ({ network, endpoints: this.endpoints.active(network.id) }));
    const needed = places.filter(({ endpoints }) => endpoints.length > 0);
    if (needed.length > 0) this.#fence.restore();
    for (const { network, endpoints } of needed) {
      const driver = this.driver(network.driver, warn);
      driver.bringUp(network);
      for (const endpoint of endpoints) driver.restore(network, endpoint);
    }
  }

  /** In Docker's words. */
  #usersOf(id: string): string[] {
    return this.endpoints
      .active(id)
      .map((each) => `name:"${each.containerName}" id:"${each.id.slice(0, 12)}"`);
  }
}

/** What tells this host from others. */
function hostSeed(): string {
  const path = ["/etc/machine-id", "/proc/sys/kernel/random/boot_id"].find((each) => existsSync(each));
  return path === undefined ? "" : readFileSync(path, "latin1").trim();
}
