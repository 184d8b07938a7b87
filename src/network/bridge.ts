import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { holdsWithin } from "../base/wait.ts";
import {
  addressBytes,
  contains,
  formatSubnet,
  overlap,
  parseAddress,
  parseCidr,
  type Subnet,
} from "./address.ts";
import type { NetworkDriver } from "./driver.ts";
import type { NetworkEndpoint } from "./endpoint-store.ts";
import { linkFacts, type Operation, operate, refused, routeDestinations, type Target } from "./netlink.ts";
import type { Network } from "./network-store.ts";

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

const prefixes = { bridge: "com.docker.network.bridge.", driver: "com.docker.network.driver." } as const;
export const nameOption = `${prefixes.bridge}name`;
const masqueradeOption = `${prefixes.bridge}enable_ip_masquerade`;
const mtuOption = `${prefixes.driver}mtu`;
const mtuDefault = 1500;

/** Keeps the fence as it should be. */
export interface Firewall {
  /** Is it as the networks want it? If not, it is made so. */
  ensure(): void;
}

export function bridgeDriver(firewall: Firewall, warn: (line: string) => void): NetworkDriver {
  return {
    name: "bridge",
    checkOptions,
    bringUp: (network) => bringUp(network, firewall, warn),
    attach: plug,
    restore(network, endpoint) {
      const port = { name: portOf(endpoint), bridge: network.interface };
      const refusal = operate([{ port }]);
      if (refusal) throw refused(`cannot restore network ${network.name}`, refusal);
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

function checkOptions(options: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(options)) {
    const what = `invalid option ${key}=${JSON.stringify(value)}`;
    if (key === nameOption) {
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/.test(value))
        throw invalid(`${what}: want the name of an interface, at most 15 of [a-zA-Z0-9_.-]`);
    } else if (key === mtuOption) {
      const mtu = Number(value);
      if (!/^\d{1,5}$/.test(value) || mtu < 68 || mtu > 65535)
        throw invalid(`${what}: want 68 to 65535 bytes`);
    } else if (key === masqueradeOption) {
      if (!/^(true|false|1|0)$/.test(value)) throw invalid(`${what}: want true or false`);
    } else {
      throw new RtError("unsupported", `option ${key} is not there yet: it comes in a later version`, {
        exitCode: 1,
      });
    }
  }
}

function invalid(message: string): RtError {
  return new RtError("invalid-argument", message, { exitCode: 1 });
}

export function isMasqueraded(options: Readonly<Record<string, string>>): boolean {
  return !/^(false|0)$/.test(options[masqueradeOption] ?? "true");
}

function mtuOf({ record }: Network): number {
  return Number(record.options[mtuOption] ?? mtuDefault);
}

/** Of all interfaces of the network on the host, which are known by it: neither 0, where all others are, nor below. */
function groupOf({ id }: Network): number {
  return Number.parseInt(id.slice(0, 8), 16) >>> 1 || 1;
}

function bringUp(network: Network, firewall: Firewall, warn: (line: string) => void): void {
  const { name, record } = network;
  // Closed first: nothing passes that is not to.
  firewall.ensure();
  const link = linkFacts(network.interface);
  if (!link) makeBridge(network, warn);
  else if (link.group !== groupOf(network)) throw foreign(network);
  if (record.internal) return;
  forward(name, "ipv4/ip_forward");
  if (record.subnets.some(({ subnet }) => parseCidr(subnet)?.subnet.family === 6)) forward6(name);
}

function foreign({ name, interface: link }: Network): RtError {
  return new RtError(
    "conflict",
    `network ${name}: the interface ${link} is there already, and is not this network's: remove it, or create the network again under another ${nameOption}`,
  );
}

function makeBridge(network: Network, warn: (line: string) => void): void {
  const { name, record } = network;
  const subnets = record.subnets.map(({ subnet, gateway }) => ({
    subnet: parseCidr(subnet)!.subnet,
    gateway: parseAddress(gateway)!,
  }));
  tellOfRoutes(
    name,
    subnets.map(({ subnet }) => subnet),
    warn,
  );
  const bridge: Operation = {
    bridge: {
      name: network.interface,
      index: 0x100000 + Math.floor(Math.random() * 0x3fffffff),
      mac: [0x02, 0x42, ...addressBytes(subnets[0]!.gateway).slice(-4)],
      mtu: mtuOf(network),
      group: groupOf(network),
      addresses: subnets.map(({ subnet, gateway }) => ({
        address: addressBytes(gateway),
        prefix: subnet.prefix,
      })),
    },
  };
  const refusal = operate([bridge]);
  if (!refusal) return;
  // Somebody else was first.
  if (refusal.errno === "EEXIST" && linkFacts(network.interface)?.group === groupOf(network)) return;
  const lacks =
    refusal.errno === "EOPNOTSUPP" ? "; this kernel has no bridges: use --network none or host" : "";
  throw refused(`cannot bring network ${name} up`, { ...refusal, text: `${refusal.text}${lacks}` });
}

/** Routes that came after the subnet was chosen: the host's own traffic there goes to the bridge from now on. */
function tellOfRoutes(name: string, subnets: readonly Subnet[], warn: (line: string) => void): void {
  const routes = routeDestinations().filter(({ prefix }) => prefix > 1);
  for (const subnet of subnets) {
    const clash = routes.find((route) => overlap(route, subnet));
    if (clash)
      warn(
        `warning: network ${name}: this host has a route to ${formatSubnet(clash)}, which overlaps its subnet ${formatSubnet(subnet)}`,
      );
  }
}

const settings = "/proc/sys/net";

/** Packets of one interface may leave by another. A host that forwards already is left as it is. */
function forward(name: string, setting: string): void {
  const path = `${settings}/${setting}`;
  try {
    if (readFileSync(path, "latin1").trim() === "0") writeFileSync(path, "1");
  } catch (error) {
    const message = `network ${name}: cannot write ${path}: ${(error as Error).message}`;
    throw new RtError("forbidden", message, { cause: error });
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

/** The host's end of a container's pair. */
function portOf({ container }: NetworkEndpoint): string {
  return `veth${container.slice(0, 11)}`;
}

/** A pair of interfaces, one of them in the container. */
async function plug(
  network: Network,
  endpoint: NetworkEndpoint,
  name: string,
  target: Target,
): Promise<void> {
  const { record } = network;
  const link = {
    name: portOf(endpoint),
    mtu: mtuOf(network),
    group: groupOf(network),
    peer: name,
    peerMac: endpoint.mac.split(":").map((byte) => Number.parseInt(byte, 16)),
  };
  const host: Operation[] = [{ veth: { bridge: network.interface, link } }];
  const inside: Operation[] = [
    ...(existsSync("/proc/sys/net/ipv6") ? [{ unnumbered: { name } }] : []),
    { up: { name } },
    ...record.subnets.flatMap((subnet) => addressIn(subnet.subnet, endpoint, name)),
    ...(record.internal ? [] : record.subnets.map(({ gateway }) => gatewayOf(name, gateway))),
  ];
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

function addressIn(text: string, { addresses }: NetworkEndpoint, name: string): Operation[] {
  const { subnet } = parseCidr(text)!;
  const address = addresses.find((each) => contains(subnet, each));
  return address
    ? [{ address: { name, address: { address: addressBytes(address), prefix: subnet.prefix } } }]
    : [];
}

function gatewayOf(name: string, gateway: string): Operation {
  return { gateway: { name, address: addressBytes(parseAddress(gateway)!) } };
}
