/**
 * The machine's network, for as long as the session lives: an interface is chosen, it gets its addresses and its routes, and
 * /etc/resolv.conf the name servers. Whatever is missing (the interface, a link, a server's answer) is waited for, at first
 * before containers start and then beside them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { isErrno } from "../../base/errors.ts";
import { kernelWord } from "../../base/kernel-words.ts";
import { type Address, formatAddress, type Subnet } from "../../network/address.ts";
import { keepLease } from "../../network/dhcp/client.ts";
import { type AddressLease, addressOf4 } from "../../network/dhcp/lease.ts";
import { openWire } from "../../network/dhcp/wire.ts";
import { type Uplink, uplinks } from "../../network/interfaces.ts";
import { addressesShown, bringUp, nothing, type Outside, settle } from "../../network/outside.ts";
import { type MachineNetwork, networkOfKernel } from "./network-config.ts";
import { ResolverFile } from "./resolver-file.ts";

interface NetworkSurroundings {
  /** rt's directory for what does not outlive the boot. */
  state: string;
  /** Of a machine the kernel's command line counts, and /etc is ours. */
  isMachine: boolean;
  /** Called with a server's name for us, and the kernel's; whoever has one already leaves it. */
  onHostname(name: string): void;
  say(line: string): void;
  stop: AbortSignal;
}

/** How long containers wait for the network, which most of them need. */
const patience_ms = 10_000;
/** After so long, and then twice that each time: a cable may be plugged in at any time. */
const lookAgain_ms = 50;
const lookAgainMost_ms = 1000;

/** What is wanted: the kernel's command line goes before the configuration, as it is of this boot alone. */
export function wantedNetwork(
  configured: MachineNetwork | undefined,
  { isMachine, say }: Pick<NetworkSurroundings, "isMachine" | "say">,
): MachineNetwork | undefined {
  try {
    const word = isMachine ? kernelWord(readFileSync("/proc/cmdline", "utf8"), "ip") : undefined;
    return (word !== undefined ? networkOfKernel(word) : undefined) ?? configured;
  } catch (error) {
    say((error as Error).message);
    return configured;
  }
}

/** Resolves when the network is there, when it takes longer than containers wait for it, or at the end. */
export async function startNetwork(wanted: MachineNetwork, surroundings: NetworkSurroundings): Promise<void> {
  const { say, stop } = surroundings;
  const network = new Network(wanted, surroundings);
  const kept = network.keep().catch((error) => say((error as Error).message));
  let timer: Timer | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), patience_ms);
  });
  const result = await Promise.race([network.ready, late, aborted(stop), kept]);
  clearTimeout(timer);
  if (result === "late") say(`the network is not there after ${patience_ms / 1000} s: ${network.missing()}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}

class Network {
  readonly #wanted: MachineNetwork;
  readonly #surroundings: NetworkSurroundings;
  readonly #resolver: ResolverFile;
  readonly #ready = Promise.withResolvers<void>();
  #link: Uplink | undefined;
  #now: Outside = nothing;

  constructor(wanted: MachineNetwork, surroundings: NetworkSurroundings) {
    this.#wanted = wanted;
    this.#surroundings = surroundings;
    this.#resolver = new ResolverFile(surroundings);
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  missing(): string {
    const { interface: name, dhcp } = this.#wanted;
    if (!this.#link) {
      return name === undefined ? "no interface has a link" : `there is no link on an interface ${name}`;
    }
    return dhcp ? `no DHCP server answers on ${this.#link.name}, which goes on asking` : "it is being set up";
  }

  /** Until the end. */
  async keep(): Promise<void> {
    const { stop, say } = this.#surroundings;
    const { hostname, dhcp } = this.#wanted;
    if (hostname !== undefined) this.#call(hostname);
    const link = await this.#chosen();
    if (!link) return;
    this.#link = link;
    keepListening(link.name);
    // Whatever a server says, addresses of one's own are there at once.
    if (this.#wanted.addresses.length > 0) this.#become(link.name, undefined);
    if (!dhcp) return this.#ready.resolve();
    await keepLease({
      open: (xid) => openWire(uplinks().find(({ name }) => name === link.name) ?? link, xid),
      hostname: hostnameNow(),
      now_ms: () => performance.now(),
      random: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
      sleep: (ms, signal) => sleep(ms, signal),
      take: (lease, before) => this.#take(link.name, lease, before),
      giveUp: (lease, why) => {
        say(`${link.name} gives up ${formatAddress(addressOf4(lease.address))}: ${why}`);
        this.#become(link.name, undefined);
      },
      say: (line) => say(`${link.name}: ${line}`),
      stop,
    });
  }

  /** The interface, once it is there and, unless its addresses are known and its name is, has a link. */
  async #chosen(): Promise<Uplink | undefined> {
    const { stop, say } = this.#surroundings;
    const { interface: wanted, dhcp } = this.#wanted;
    const refused = new Set<string>();
    for (let pause_ms = lookAgain_ms; !stop.aborted; pause_ms = Math.min(2 * pause_ms, lookAgainMost_ms)) {
      for (const { name, isUp } of uplinks()) {
        if (isUp || refused.has(name) || (wanted !== undefined && name !== wanted)) continue;
        try {
          bringUp(name);
        } catch (error) {
          refused.add(name);
          say((error as Error).message);
        }
      }
      const needsLink = dhcp || wanted === undefined;
      const found = uplinks().find(
        ({ name, hasLink }) => (hasLink || !needsLink) && (wanted === undefined || name === wanted),
      );
      if (found) return found;
      await sleep(pause_ms, stop);
    }
    return undefined;
  }

  /** A machine that cannot be called so has its addresses all the same, and goes on renewing them. */
  #call(hostname: string): void {
    const { say, onHostname } = this.#surroundings;
    try {
      onHostname(hostname);
    } catch (error) {
      say((error as Error).message);
    }
  }

  #take(name: string, lease: AddressLease, before: AddressLease | undefined): void {
    const { say } = this.#surroundings;
    if (lease.hostname !== undefined) this.#call(lease.hostname);
    if (before === undefined || String(before.address) !== String(lease.address)) {
      const server = formatAddress(addressOf4(lease.server));
      say(`${name} has ${addressesShown(outsideOf(this.#wanted, lease))} from the DHCP server ${server}`);
    }
    this.#become(name, lease);
    this.#ready.resolve();
  }

  /** What the configuration has, and what the lease has. What cannot be had of it is said. */
  #become(name: string, lease: AddressLease | undefined): void {
    const { say } = this.#surroundings;
    const [wanted, before] = [outsideOf(this.#wanted, lease), this.#now];
    this.#now = wanted;
    try {
      settle(name, wanted, before);
    } catch (error) {
      say((error as Error).message);
    }
    try {
      const { dns, search } = this.#wanted;
      const servers = dns.length > 0 ? dns : (lease?.dns ?? []);
      if (servers.length > 0)
        this.#resolver.write(servers, search.length > 0 ? search : (lease?.search ?? []));
    } catch (error) {
      say((error as Error).message);
    }
  }
}

/**
 * To routers of IPv6: whoever forwards packets, as containers' networks have it, would not listen to them any more
 * (Documentation/networking/ip-sysctl.rst, accept_ra).
 */
function keepListening(name: string): void {
  const file = `/proc/sys/net/ipv6/conf/${name}/accept_ra`;
  try {
    if (readFileSync(file, "utf8").trim() === "1") writeFileSync(file, "2");
  } catch (error) {
    // A kernel without IPv6, or somebody else's /proc/sys.
    if (!["ENOENT", "EROFS", "EACCES"].some((errno) => isErrno(error, errno))) throw error;
  }
}

function outsideOf({ addresses, gateways, mtu }: MachineNetwork, lease: AddressLease | undefined): Outside {
  const leased = lease ? [{ address: addressOf4(lease.address), prefix: lease.prefix }] : [];
  const own = gateways.map((gateway) => ({ destination: everything(gateway), gateway }));
  const chosen = mtu ?? lease?.mtu;
  return {
    addresses: [...leased, ...addresses],
    routes: [...(lease?.routes ?? []), ...own],
    ...(chosen !== undefined && { mtu: chosen }),
  };
}

function everything({ family }: Address): Subnet {
  return { family, value: 0n, prefix: 0 };
}

/** For a server; one that says nothing is not told. */
function hostnameNow(): string | undefined {
  const name = readFileSync("/proc/sys/kernel/hostname", "utf8").trim();
  return /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/.test(name) ? name : undefined;
}

function sleep(ms: number, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = () => resolve();
  stop.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    stop.removeEventListener("abort", onAbort);
  });
}
