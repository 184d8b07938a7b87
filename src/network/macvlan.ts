import { RtError } from "../base/errors.ts";
import type { DriverWorld, NetworkDriver } from "./driver.ts";
import { etherBytes } from "./expressions.ts";
import { routesInside } from "./inside.ts";
import type { Network } from "./network-store.ts";
import { type OnParent, parentDriver, wordOf } from "./parent-driver.ts";

/**
 * The macvlan driver: a container is a machine of its own on the wire of an interface of the host, with a MAC of its own.
 *
 *   container       eth0 192.0.2.7/24, default via 192.0.2.1
 *                     |
 *   host            eth0 ---- the wire, with 192.0.2.1 and everybody else
 */
const modeOption = "macvlan_mode";
/** linux/if_link.h */
const modes: Readonly<Record<string, number>> = { bridge: 4, private: 1, vepa: 2, passthru: 8 };
const passthru = "passthru";

const kind: OnParent = {
  name: "macvlan",
  hasMacs: true,
  letters: "dm",
  words: { [modeOption]: Object.keys(modes) },
  /** Several networks may be on one wire, unless one has all of it. */
  checkBeside(options, user, parent) {
    if (modeOf(options) === passthru)
      throw conflict(
        `cannot use mode passthru, macvlan network ${user.name} is already using parent interface ${parent}`,
      );
    if (modeOf(user.record.options) === passthru)
      throw conflict(
        `macvlan network ${user.name} is already using parent interface ${parent} in mode passthru`,
      );
  },
  link(options, endpoint, { parent, mtu }) {
    const { interface: name } = endpoint;
    return {
      macvlan: {
        name: parent,
        link: { name, mtu, mac: etherBytes(endpoint.mac), mode: modes[modeOf(options)]! },
      },
    };
  },
  /** In this mode it is born with the parent's MAC; what it gets then is the parent's, until it goes. */
  prepare(options, endpoint) {
    const { interface: name } = endpoint;
    return modeOf(options) === passthru ? [{ mac: { name, mac: etherBytes(endpoint.mac) } }] : [];
  },
  routes: routesInside,
};

export function macvlanDriver(world: DriverWorld): NetworkDriver {
  return parentDriver(kind, world);
}

function modeOf(options: Network["record"]["options"]): string {
  return wordOf(kind, options, modeOption);
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}
