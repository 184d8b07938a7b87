import { RtError } from "../base/errors.ts";
import type { Family } from "./address.ts";
import type { DriverWorld, NetworkDriver } from "./driver.ts";
import type { NetworkEndpoint } from "./endpoint-store.ts";
import { familiesOf, routesInside } from "./inside.ts";
import type { Operation } from "./netlink.ts";
import type { Network } from "./network-store.ts";
import { type OnParent, parentDriver, wordOf } from "./parent-driver.ts";

/**
 * The ipvlan driver: as macvlan, but all containers have the parent's MAC, and the kernel tells them apart by their addresses.
 *
 *   l2    on the parent's wire: neighbours are asked for, and the gateway is one of them
 *   l3    behind the parent, as behind a router: nobody is asked for, and everything is behind the interface. Whoever is to
 *         answer needs a route to the subnet by way of this host
 *   l3s   the same, and the host's firewall sees it
 */
const [modeOption, flagOption] = ["ipvlan_mode", "ipvlan_flag"] as const;
/** linux/if_link.h */
const modes: Readonly<Record<string, number>> = { l2: 0, l3: 1, l3s: 2 };
const flags: Readonly<Record<string, number>> = { bridge: 0, private: 1, vepa: 2 };

const kind: OnParent = {
  name: "ipvlan",
  hasMacs: false,
  letters: "di",
  words: { [modeOption]: Object.keys(modes), [flagOption]: Object.keys(flags) },
  /** The mode is the parent's, so there is one network on it. Docker's words. */
  checkBeside(_, user, parent) {
    const message = `network ${user.name} is already using parent interface ${parent}`;
    throw new RtError("conflict", message, { exitCode: 1 });
  },
  link(options, { interface: name }, { parent, mtu }) {
    const [mode, flag] = [wordOf(kind, options, modeOption), wordOf(kind, options, flagOption)];
    return { ipvlan: { name: parent, link: { name, mtu, mode: modes[mode]!, flags: flags[flag]! } } };
  },
  prepare: () => [],
  routes(network, endpoint, families) {
    const isBehind = wordOf(kind, network.record.options, modeOption) !== "l2";
    return isBehind ? onlink(network, endpoint, families) : routesInside(network, endpoint, families);
  },
};

export function ipvlanDriver(world: DriverWorld): NetworkDriver {
  return parentDriver(kind, world);
}

function onlink(
  network: Network,
  { interface: name }: NetworkEndpoint,
  families: readonly Family[],
): Operation[] {
  if (network.record.internal) return [];
  const own = familiesOf(network).filter((family) => families.includes(family));
  return own.map((family) => ({ onlink: { name, family } }));
}
