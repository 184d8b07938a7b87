import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { isErrno, RtError } from "../base/errors.ts";
import { type NetworkStack, type StackKind, slirpAddress, slirpOptions } from "../settings/network-stack.ts";
import { type Address, formatAddress } from "./address.ts";
import type { PublishedPort } from "./port-store.ts";

/**
 * A container's network that a program of the host's carries: pasta(1) or slirp4netns(1). Both make one interface in the
 * container's network namespace and speak for it with sockets of their own, so that the host's user needs no rights for it.
 *
 *   container, eth0 10.0.2.100 == the program == sockets of the host
 *
 * The addresses are the same in all of them: nobody sees them but the container itself. Neither leads to what listens at the
 * host's localhost only.
 */
export interface StackPlan {
  /** The container's own. */
  addresses: readonly string[];
  /** The program's arguments. */
  arguments: readonly string[];
  /** What slirp4netns is told at its socket, once it is ready: JSON, one each. */
  requests: readonly string[];
}

const own4 = "10.0.2.100";
const gateway4 = "10.0.2.2";
/** Of the unique local ones. */
const own6 = "fd72:7400::64";
const gateway6 = "fe80::1";

/** Where its socket is, in the container's state directory; it is started there, as longer paths have no room in an address. */
export const slirpSocket = "slirp.sock";

/** @param directory the container's state directory, where its network namespace and its fifo are */
export function planStack(
  stack: NetworkStack,
  ports: readonly PublishedPort[],
  directory: string,
  interfaceName: string,
): StackPlan {
  return stack.kind === "pasta"
    ? planPasta(stack.options, ports, directory, interfaceName)
    : planSlirp(stack.options, ports, directory);
}

/** Those that take a value by their short and their long name, of which a user's own takes the place of ours. */
const ours = {
  "--tcp-ports": "-t",
  "--udp-ports": "-u",
  "--tcp-ns": "-T",
  "--udp-ns": "-U",
  "--address": "-a",
  "--netmask": "-n",
  "--gateway": "-g",
  "--ns-ifname": "-I",
} as const;

/** "-t80" and "--tcp-ports=80", too. */
function isSaid(options: readonly string[], long: string, short: string): boolean {
  return options.some(
    (option) =>
      option === long ||
      option.startsWith(`${long}=`) ||
      (option.startsWith(short) && !option.startsWith("--")),
  );
}

function planPasta(
  options: readonly string[],
  ports: readonly PublishedPort[],
  directory: string,
  name: string,
): StackPlan {
  const said = (long: keyof typeof ours) => isSaid(options, long, ours[long]);
  const unless = (long: keyof typeof ours, ...value: string[]) => (said(long) ? [] : value);
  const addressed = said("--address") || said("--gateway") || said("--netmask");
  const families = hostFamilies();
  const ownAddresses = [...(families.four ? [own4] : []), ...(families.six ? [own6] : [])];
  return {
    // What a user says instead is not known here.
    addresses: addressed ? [] : ownAddresses,
    arguments: [
      ...["--foreground", "--quiet", "--config-net", "--runas", "0", "--pid", `${directory}/ready`],
      ...["--no-dhcp", "--no-dhcpv6", "--no-ra"],
      ...(options.includes("--map-gw") ? [] : ["--no-map-gw"]),
      ...(addressed ? [] : ["-a", own4, "-n", "24", "-g", gateway4, "-a", own6, "-g", gateway6]),
      ...unless("--ns-ifname", "-I", name),
      ...pastaPorts("-t", "tcp", ports, said("--tcp-ports")),
      ...pastaPorts("-u", "udp", ports, said("--udp-ports")),
      ...unless("--tcp-ns", "-T", "none"),
      ...unless("--udp-ns", "-U", "none"),
      // podman's word, which no pasta knows: what it does by itself.
      ...options.filter((option) => option !== "--map-gw"),
      ...["--netns", `${directory}/netns`],
    ],
    requests: [],
  };
}

/** One option for each address, with all its ports. */
function pastaPorts(
  option: string,
  protocol: string,
  ports: readonly PublishedPort[],
  isSaid: boolean,
): string[] {
  const places = new Map<string, Set<string>>();
  for (const { host, port } of ports.filter((each) => each.protocol === protocol)) {
    const place = placeOf(host.address, host.port, protocol, ports);
    const all = places.get(place) ?? new Set();
    places.set(place, all.add(`${host.port}:${port}`));
  }
  if (places.size === 0) return isSaid ? [] : [option, "none"];
  return [...places].flatMap(([place, all]) => [option, `${place}${[...all].join(",")}`]);
}

/** Of a port that is everywhere pasta is told no address. */
function placeOf(
  address: Address,
  number: number,
  protocol: string,
  ports: readonly PublishedPort[],
): string {
  const isEverywhere = ([4, 6] as const).every((family) =>
    ports.some(
      ({ host, protocol: other }) =>
        other === protocol &&
        host.port === number &&
        host.address.family === family &&
        host.address.value === 0n,
    ),
  );
  return isEverywhere && address.value === 0n ? "" : `${formatAddress(address)}/`;
}

function planSlirp(
  options: readonly string[],
  ports: readonly PublishedPort[],
  directory: string,
): StackPlan {
  const { cidr, mtu, outbound, outbound6, ipv6, loopback } = slirpOptions(options);
  const own = slirpAddress(cidr, 100);
  return {
    addresses: [own],
    arguments: [
      ...["--configure", "--ready-fd=3", "--exit-fd=4", `--mtu=${mtu}`, `--cidr=${cidr}`],
      ...["--enable-sandbox", "--enable-seccomp", `--api-socket=${slirpSocket}`, "--disable-dns"],
      ...(loopback ? [] : ["--disable-host-loopback"]),
      ...(ipv6 ? ["--enable-ipv6"] : []),
      ...(outbound === "" ? [] : [`--outbound-addr=${outbound}`]),
      ...(outbound6 === "" ? [] : [`--outbound-addr6=${outbound6}`]),
      ...["--netns-type=path", `${directory}/netns`, "tap0"],
    ],
    requests: ports.map((port) => forwardRequest(port)),
  };
}

/** What slirp4netns is told at its socket: docs "API socket" of it. */
export function forwardRequest({ protocol, port, host }: PublishedPort): string {
  const place = { proto: protocol, host_addr: formatAddress(host.address), host_port: host.port };
  return JSON.stringify({ execute: "add_hostfwd", arguments: { ...place, guest_port: port } });
}

/** @throws RtError unsupported: it carries no such port */
export function checkStackPort(
  { kind }: NetworkStack,
  { protocol, port, address }: { protocol: string; port: number; address: string },
): void {
  if (protocol === "sctp")
    throw new RtError("unsupported", `${kind} carries TCP and UDP: no port ${port}/sctp`);
  if (kind === "slirp4netns" && address.includes(":"))
    throw new RtError("unsupported", `slirp4netns has no ports at addresses of IPv6 (${address}): use pasta`);
}

/** The program of that kind. @throws RtError not-found */
export function stackProgram(kind: StackKind, path: string | undefined): string {
  const found = findStack(kind, path);
  if (found !== undefined) return found;
  throw new RtError(
    "not-found",
    `${kind} is not installed: ${installWords[kind]}, or use --network none or host`,
  );
}

const installWords: Readonly<Record<StackKind, string>> = {
  pasta: "install passt (of which it is a part)",
  slirp4netns: "install slirp4netns",
};

/**
 * What a user's container has where nobody names a network. On a host that leads nowhere pasta has nothing to copy and ends;
 * slirp4netns does not mind.
 * @throws RtError not-found: none is installed
 */
export function usualStack(path: string | undefined): StackKind {
  const usual = ["pasta", "slirp4netns"] as const;
  const { four, six } = hostFamilies();
  for (const kind of four || six ? usual : usual.toReversed())
    if (findStack(kind, path) !== undefined) return kind;
  const message =
    "neither pasta nor slirp4netns is installed, without which an ordinary user's containers have no network: install passt or slirp4netns, or say --network none or host";
  throw new RtError("not-found", message);
}

function findStack(kind: StackKind, path = ""): string | undefined {
  return Bun.which(kind, { PATH: `${path}:/usr/local/bin:/usr/bin:/bin` }) ?? undefined;
}

/** Where the host leads out, the programs do. */
function hostFamilies(): { four: boolean; six: boolean } {
  const four = linesOf("/proc/net/route").some((line) =>
    /^\S+\t00000000\t\S+\t\S+\t\S+\t\S+\t\S+\t00000000\t/.test(line),
  );
  const six = linesOf("/proc/net/ipv6_route").some((line) => /^0{32} 00 /.test(line) && !/ lo$/.test(line));
  return { four, six };
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\n");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * Addresses by which a container reaches this host: its own, of the interface that leads out, else of any. What listens at
 * localhost alone is not reached there.
 */
export function hostAddresses(): string[] {
  const out = linesOf("/proc/net/route").flatMap((line) => /^(\S+)\t00000000\t/.exec(line)?.[1] ?? []);
  const all = Object.entries(networkInterfaces()).flatMap(([name, list = []]) =>
    list
      .filter(({ internal, family }) => !internal && family === "IPv4")
      .map(({ address }) => ({ name, address })),
  );
  const best = all.find(({ name }) => out.includes(name)) ?? all[0];
  return best ? [best.address] : [];
}
