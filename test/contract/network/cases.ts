/** The drivers that join containers to networks, each with what a network that leads outside is made with. */
import type { NetworkHost } from "../../support/network-host.ts";
import { searchPath } from "../../support/root.ts";

export interface DriverCase {
  /** For the tests' names. */
  name: string;
  driver: string;
  /** Of `network create`, of a network in which a neighbour in the world is reached. */
  outside: string[];
  /** Of one that may stand beside any other. */
  beside: string[];
  /** Where the first container of that network is. */
  first: { four: string; six: string };
  /** Its default routes, as ip(8) says. */
  routes: string[];
  /** What the neighbour sees of a container: this, where it is not its own address. */
  seenAs?: { four: string; six: string };
  hasMacs: boolean;
  /** What the kind of interface is called, where not every kernel has it. */
  kind: string;
  /** What the world is to know. */
  world: string[];
}

const wire = ["--subnet", "192.0.2.0/24", "--ip-range", "192.0.2.128/25", "--gateway", "192.0.2.1"];
const wire6 = ["--subnet", "2001:db8::/64", "--ip-range", "2001:db8::1:0/112", "--gateway", "2001:db8::1"];
const onWire = {
  outside: [...wire, ...wire6, "-o", "parent=up0"],
  beside: [],
  first: { four: "192.0.2.128", six: "2001:db8::1:0" },
  routes: ["default via 192.0.2.1 dev eth0", "default via 2001:db8::1 dev eth0"],
  world: [],
};
const behind = ["--subnet", "10.7.0.0/24", "--subnet", "fd07::/64", "-o", "parent=up0"];

export const cases: readonly DriverCase[] = [
  {
    ...{ name: "bridge", driver: "bridge", kind: "bridge", hasMacs: true, beside: [], world: [] },
    outside: ["--subnet", "10.7.0.0/24", "--subnet", "fd07::/64"],
    first: { four: "10.7.0.2", six: "fd07::2" },
    routes: ["default via 10.7.0.1 dev eth0", "default via fd07::1 dev eth0"],
    seenAs: { four: "192.0.2.2", six: "2001:0db8:0000:0000:0000:0000:0000:0002" },
  },
  { name: "macvlan", driver: "macvlan", kind: "macvlan", hasMacs: true, ...onWire },
  { name: "ipvlan l2", driver: "ipvlan", kind: "ipvlan", hasMacs: false, ...onWire },
  ...(["l3", "l3s"] as const).map((mode) => ({
    ...{ name: `ipvlan ${mode}`, driver: "ipvlan", kind: "ipvlan", hasMacs: false },
    outside: [...behind, "-o", `ipvlan_mode=${mode}`],
    beside: ["-o", `ipvlan_mode=${mode}`],
    first: { four: "10.7.0.1", six: "fd07::1" },
    routes: ["default dev eth0", "default dev eth0"],
    world: ["route add 10.7.0.0/24 via 192.0.2.2", "route add fd07::/64 via 2001:db8::2"],
  })),
];

/** Does this kernel have interfaces of the kind? */
export function hasKind(kind: string): boolean {
  const script = `ip link add v type veth peer name w && { ip link add x type ${kind} || ip link add x link v type ${kind}; }`;
  const command = ["unshare", "-n", "sh", "-c", script];
  return Bun.spawnSync(command, { env: { PATH: searchPath }, stderr: "ignore" }).exitCode === 0;
}

/** What the host has that it had not, by name. */
export async function newLinks(host: NetworkHost): Promise<string[]> {
  const lines = (await host.inHost(["ip", "-o", "link"])).split("\n");
  return lines.flatMap((line) => {
    const name = /^\d+: ([^:@]+)/.exec(line)?.[1];
    return name === undefined || ["lo", "up0"].includes(name) ? [] : [name];
  });
}
