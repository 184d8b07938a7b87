import { existsSync, readFileSync } from "node:fs";
import type { Database } from "../store/database.ts";
import type { Family } from "./address.ts";
import type { NetworkDriver } from "./driver.ts";
import { driverOf } from "./drivers.ts";
import type { RefusedDestination } from "./egress.ts";
import { EndpointStore, type NetworkEndpoint } from "./endpoint-store.ts";
import { Fence } from "./firewall.ts";
import { linkFacts, routeDestinations, type Target } from "./netlink.ts";
import { type Network, type NetworkPlan, NetworkStore } from "./network-store.ts";
import { type AskedSubnets, planSubnets } from "./plan.ts";
import { PortStore } from "./port-store.ts";
import { Ports } from "./ports.ts";

/** A network as somebody asks for it. */
export interface AskedNetwork extends Omit<AskedSubnets, "isDefault" | "isGateway"> {
  name: string;
  driver: string;
  labels: Record<string, string>;
  options: Record<string, string>;
  internal: boolean;
  /** Nothing follows from it. */
  attachable: boolean;
}

const defaultInterface = "rt0";
const plain = {
  subnets: [],
  gateways: [],
  ranges: [],
  auxiliary: {},
  ipv4: true,
  ipv6: false,
  isDefault: true,
  isGateway: true,
};

/** The networks of one rt: what there is, who is in them, and what keeps them apart. */
export class Networks {
  readonly store: NetworkStore;
  readonly endpoints: EndpointStore;
  readonly ports: Ports;
  readonly #fence: Fence;

  /** @param root rt's directory */
  constructor(database: Database, root: string) {
    this.store = new NetworkStore(database);
    this.endpoints = new EndpointStore(database);
    const ports = new PortStore(database);
    this.#fence = new Fence(this.store, this.endpoints, ports, root);
    this.ports = new Ports(database, ports, this.#fence);
  }

  /** @throws RtError not-found: there is none of this name */
  driver(name: string, warn: (line: string) => void): NetworkDriver {
    return driverOf(name, { firewall: this.#fence, others: () => this.store.list(), warn });
  }

  /** @throws RtError conflict | invalid-argument | exhausted | unsupported */
  create(asked: AskedNetwork, warn: (line: string) => void): Network {
    const { name, labels, options } = asked;
    const driver = this.driver(asked.driver, warn);
    driver.checkOptions(options, asked.internal);
    const routes = routeDestinations();
    const wanted = { ...asked, isDefault: false, isGateway: driver.isGateway };
    return this.store.create(name, driver.name, (id, others) => {
      const { interface: link, leadsNowhere } = driver.claim(id, { options }, others);
      const subnets = planSubnets(wanted, { others, routes, seed: hostSeed() });
      const internal = asked.internal || leadsNowhere;
      const more = asked.attachable ? { attachable: true } : {};
      return { interface: link, record: { labels, options, internal, subnets, ...more } };
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
    this.#fence.refresh(warn);
  }

  /** A container is over, or is about to leave these: what the firewall has of it goes. */
  dismiss(endpoints: readonly NetworkEndpoint[]): void {
    this.#fence.dismiss(endpoints);
  }

  /** Of the firewall: where those that may go to some destinations alone are. */
  get egressTable(): string {
    return this.#fence.egress.name;
  }

  /** Where a container was not let go, lately. */
  refused(container: string): RefusedDestination[] {
    const restrained = this.endpoints.ofContainer(container).filter(({ egress }) => egress !== undefined);
    return restrained.length === 0
      ? []
      : this.#fence.egress.refused(restrained.flatMap(({ addresses }) => addresses));
  }

  /** What the default network has on this host goes, until it is needed again, unless somebody is in it. */
  rest(network: Network, warn: (line: string) => void): void {
    const idle = ({ id, interface: link, record }: Network): NetworkPlan | undefined =>
      link !== "" && this.endpoints.active(id).length === 0
        ? { interface: "", record: { ...record, subnets: [] } }
        : undefined;
    this.store.change(network.id, idle, () => this.#takeDown(network, warn));
  }

  /**
   * What containers that run need on the host is made again, whatever somebody has done to it. What fails keeps nothing else from it.
   * @param placed the process of a container, and the families whose default route leads into the endpoint's network;
   *   undefined while it is being built
   * @throws RtError the first that failed
   */
  async restore(
    placed: (endpoint: NetworkEndpoint) => { target: Target; gateways: readonly Family[] } | undefined,
    warn: (line: string) => void,
  ): Promise<void> {
    const joined = this.store.list().filter(({ driver }) => !this.driver(driver, warn).isFixed);
    const places = joined.map((network) => ({ network, endpoints: this.endpoints.active(network.id) }));
    const needed = places.filter(({ endpoints }) => endpoints.length > 0);
    if (needed.some(({ network }) => network.interface !== "")) this.#fence.restore(warn);
    const failures: unknown[] = [];
    for (const { network, endpoints } of needed) {
      const driver = this.driver(network.driver, warn);
      try {
        driver.bringUp(network);
      } catch (error) {
        failures.push(error);
        continue;
      }
      for (const endpoint of endpoints) {
        try {
          const place = placed(endpoint);
          if (!place) continue;
          await driver.restore(network, endpoint, place.gateways, place.target);
          this.ports.restore(network, endpoint);
        } catch (error) {
          failures.push(error);
        }
      }
    }
    if (failures.length > 0) throw failures[0];
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
