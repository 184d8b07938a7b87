import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { holdsWithin } from "../base/wait.ts";
import {
  addressBytes,
  type Family,
  formatSubnet,
  overlap,
  parseAddress,
  parseCidr,
  type Subnet,
} from "./address.ts";
import { limitPort } from "./bandwidth.ts";
import { bridgeOptions, checkBridgeOptions, nameOption } from "./bridge-options.ts";
import type { Claim, DriverWorld, Firewall, NetworkDriver } from "./driver.ts";
import { type NetworkEndpoint, portOf } from "./endpoint-store.ts";
import { etherBytes } from "./expressions.ts";
import { groupOf } from "./group.ts";
import type { Station } from "./guard.ts";
import { addressesInside, familiesOf, routesInside } from "./inside.ts";
import {
  isInWorld,
  linkFacts,
  type Operation,
  operate,
  refused,
  routeDestinations,
  type Target,
} from "./netlink.ts";
import type { Network } from "./network-store.ts";
import type { NetworkRecord } from "./record.ts";

/**
 * The bridge driver. Each network is a bridge of the host, which has the gateway's address; each container has a pair of
 * interfaces, of which one is a port of that and the other is in its own network namespace:
 *
 *   container       eth0 172.18.0.2/16, default via 172.18.0.1
 *                     |
 *   host            vethXXXXXXXXXXX -- rt-XXXXXXXXXXXX 172.18.0.1/16 -- routes -- masquerade -- the world
 *
 * A bridge is made with all of its addresses when the first container needs it, and its group tells whose it is. Nothing of
 * a container is taken away by us: see driver.ts.
 */

export function bridgeDriver({ firewall, warn }: DriverWorld): NetworkDriver {
  return {
    name: "bridge",
    ...{ isFixed: false, isGateway: true, hasMacs: true },
    checkOptions: checkBridgeOptions,
    claim,
    bringUp: (network) => bringUp(network, firewall, warn),
    attach(network, endpoint, gateways, target) {
      if (endpoint.egress) {
        if (!firewall.ensure(warn))
          throw new RtError(
            "unsupported",
            "--egress-allow needs nftables for bridges, which this kernel does not have",
          );
        firewall.restrain(network, endpoint);
      }
      const { guard, isSociable } = bridgeOptions(network.record.options);
      if (guard) firewall.admit(stationOf(endpoint), warn);
      if (!isSociable) firewall.open(endpoint, warn);
      return plug(network, endpoint, gateways, target);
    },
    lead(network, endpoint, gateways, target) {
      const refusal = operate([], routesInside(network, endpoint, gateways), target);
      if (refusal) throw refused(`cannot lead the default route to network ${network.name}`, refusal);
    },
    detach(network, endpoint) {
      const refusal = operate([{ remove: { name: portOf(endpoint) } }]);
      if (refusal && refusal.errno !== "ENODEV")
        throw refused(`cannot leave network ${network.name}`, refusal);
      firewall.dismiss([endpoint]);
    },
    async restore(network, endpoint, families, target) {
      const port = { name: portOf(endpoint), bridge: network.interface };
      const refusal = operate([{ port }]);
      // With the host's end of the pair the container's went too.
      if (refusal?.errno === "ENODEV") await plug(network, endpoint, families, target);
      else if (refusal) throw refused(`cannot restore network ${network.name}`, refusal);
    },
    limit(network, endpoint, bandwidth, name) {
      limitPort(portOf(endpoint), bridgeOptions(network.record.options).mtu, bandwidth, {
        name,
        group: groupOf(network),
      });
    },
    takeDown(network) {
      const { interface: name } = network;
      if (linkFacts(name)?.group !== groupOf(network)) return;
      const refusal = operate([{ remove: { name } }]);
      if (refusal && refusal.errno !== "ENODEV")
        throw refused(`cannot remove network ${network.name}`, refusal);
    },
  };
}

/** Of all interfaces, in /proc/sys/net. */
const notLinks = ["all", "default"];

function claim(id: string, { options }: Pick<NetworkRecord, "options">, others: readonly Network[]): Claim {
  const link = options[nameOption] ?? `rt-${id.slice(0, 12)}`;
  const user = others.find((each) => each.interface === link);
  if (user)
    throw new RtError("conflict", `the interface ${link} is that of network ${user.name}`, { exitCode: 1 });
  // From here on the firewall has rules about whatever has this name.
  if (notLinks.includes(link) || linkFacts(link))
    throw new RtError(
      "conflict",
      `the interface ${link} is there already, and is not a network's: choose another ${nameOption}`,
      { exitCode: 1 },
    );
  return { interface: link, leadsNowhere: false };
}

function bringUp(network: Network, firewall: Firewall, warn: (line: string) => void): void {
  const { name, record } = network;
  // Closed first: nothing passes that is not to.
  const isGuarded = firewall.ensure(warn);
  if (!isGuarded && !bridgeOptions(record.options).isSociable)
    throw new RtError(
      "unsupported",
      `network ${name}: this kernel has no nftables for bridges, without which its containers reach each other: create it again without icc=false`,
    );
  const link = linkFacts(network.interface);
  if (!link) makeBridge(network, warn);
  else if (link.group !== groupOf(network)) throw foreign(network);
  // An ordinary user's own world does so from its beginning.
  if (record.internal || isInWorld()) return;
  const families = familiesOf(network);
  if (families.includes(4)) forward(name, "ipv4/ip_forward");
  if (families.includes(6)) forward6(name);
}

function foreign({ name, interface: link }: Network): RtError {
  return new RtError(
    "conflict",
    `network ${name}: the interface ${link} is there already, and is not this network's: remove it, or create the network again under another ${nameOption}`,
  );
}

function makeBridge(network: Network, warn: (line: string) => void): void {
  const { name, record } = network;
  const { mtu, inhibited } = bridgeOptions(record.options);
  const subnets = record.subnets.map(({ subnet, gateway }) => ({
    subnet: parseCidr(subnet)!.subnet,
    gateway: parseAddress(gateway)!,
  }));
  const clashes = overlapping(subnets.map(({ subnet }) => subnet));
  const bridge: Operation = {
    bridge: {
      name: network.interface,
      index: 0x100000 + Math.floor(Math.random() * 0x3fffffff),
      mac: [0x02, 0x42, ...addressBytes(subnets[0]!.gateway).slice(-4)],
      mtu,
      group: groupOf(network),
      addresses: subnets
        .filter(({ subnet }) => !inhibited[subnet.family])
        .map(({ subnet, gateway }) => ({
          address: addressBytes(gateway),
          prefix: subnet.prefix,
        })),
    },
  };
  const refusal = operate([bridge]);
  if (!refusal) {
    try {
      hearNobody(name, network.interface);
    } catch (error) {
      // The next one would take it for ready.
      operate([{ remove: { name: network.interface } }]);
      throw error;
    }
    // Where somebody else was first, the route may be that of the bridge itself.
    for (const text of clashes) warn(`warning: network ${name}: ${text}`);
    return;
  }
  // Somebody else was first.
  if (refusal.errno === "EEXIST" && linkFacts(network.interface)?.group === groupOf(network)) return;
  const lacks =
    refusal.errno === "EOPNOTSUPP" ? "; this kernel has no bridges: use --network none or host" : "";
  throw refused(`cannot bring network ${name} up`, { ...refusal, text: `${refusal.text}${lacks}` });
}

/** Routes that came after the subnet was chosen: the host's own traffic there goes to the bridge from now on. */
function overlapping(subnets: readonly Subnet[]): string[] {
  const routes = routeDestinations().filter(({ prefix }) => prefix > 1);
  return subnets.flatMap((subnet) => {
    const clash = routes.find((route) => overlap(route, subnet));
    if (!clash) return [];
    return `this host has a route to ${formatSubnet(clash)}, which overlaps its subnet ${formatSubnet(subnet)}`;
  });
}

const settings = "/proc/sys/net";

/**
 * What a container says of routes is nothing for the host, nor whether it has the bridge's own address too: until that was asked,
 * a second or two after the first container has come, the host could not ask for any neighbour there.
 */
function hearNobody(name: string, link: string): void {
  for (const setting of ["accept_ra", "accept_dad"]) {
    const path = `${settings}/ipv6/conf/${link}/${setting}`;
    try {
      if (existsSync(path)) writeFileSync(path, "0");
    } catch (error) {
      throw unwritable(name, path, error);
    }
  }
}

function unwritable(name: string, path: string, error: unknown): RtError {
  const message = `network ${name}: cannot write ${path}: ${(error as Error).message}; use --network none or host`;
  return new RtError("forbidden", message, { cause: error });
}

/** Packets of one interface may leave by another. A host that forwards already is left as it is. */
function forward(name: string, setting: string): void {
  const path = `${settings}/${setting}`;
  try {
    if (readFileSync(path, "latin1").trim() === "0") writeFileSync(path, "1");
  } catch (error) {
    throw unwritable(name, path, error);
  }
}

/** A host that forwards IPv6 hears no router any more, unless it is told that it shall: those that it hears now it goes on to hear. */
function forward6(name: string): void {
  const all = "ipv6/conf/all/forwarding";
  if (readFileSync(`${settings}/${all}`, "latin1").trim() !== "0") return;
  for (const link of readdirSync(`${settings}/ipv6/conf`)) {
    const path = `${settings}/ipv6/conf/${link}/accept_ra`;
    if (link !== "all" && readFileSync(path, "latin1").trim() === "1") writeFileSync(path, "2");
  }
  forward(name, all);
}

/**
 * What a container sends to a port of the host that leads to itself comes back to it. Where bridged packets come by the
 * firewall, that sends them back before they have left the bridge, which does not do so by itself.
 */
export function reflect(network: Network, endpoint: NetworkEndpoint): void {
  const isFiltered = ["iptables", "ip6tables"].some((each) =>
    isOn(`${settings}/bridge/bridge-nf-call-${each}`),
  );
  const refusal = isFiltered ? operate([{ reflect: { name: portOf(endpoint) } }]) : undefined;
  if (refusal) throw refused(`cannot lead ports to network ${network.name}`, refusal);
}

function isOn(path: string): boolean {
  return existsSync(path) && readFileSync(path, "latin1").trim() === "1";
}

export function stationOf(endpoint: NetworkEndpoint): Station {
  return { port: portOf(endpoint), mac: endpoint.mac, addresses: endpoint.addresses };
}

/** A pair of interfaces, one of them in the container. */
async function plug(
  network: Network,
  endpoint: NetworkEndpoint,
  gateways: readonly Family[],
  target: Target,
): Promise<void> {
  const { mtu } = bridgeOptions(network.record.options);
  const link = {
    name: portOf(endpoint),
    mtu,
    group: groupOf(network),
    peer: endpoint.interface,
    peerMac: etherBytes(endpoint.mac),
  };
  const host: Operation[] = [{ veth: { bridge: network.interface, link } }];
  const inside = [...addressesInside(network, endpoint), ...routesInside(network, endpoint, gateways)];
  let refusal = operate(host, inside, target);
  if (refusal?.errno === "EEXIST" && refusal.operation === host[0]) {
    // Of the container's last run, whose network namespace the kernel has not cleared away yet.
    operate([{ remove: { name: link.name } }]);
    refusal = operate(host, inside, target);
  }
  if (refusal) throw refused(`cannot join network ${network.name}`, refusal);
  // Before the kernel has told the port and then the bridge of it, what is sent first is lost, and sent again a second later.
  const isUp = () => [link.name, network.interface].every((each) => linkFacts(each)?.isUp);
  if (!isUp()) await holdsWithin(upWithin_ms, isUp);
}

/** Where that takes longer the program is started all the same. */
const upWithin_ms = 2000;
