import { existsSync, readFileSync } from "node:fs";
import { codeOfErrno, RtError } from "../base/errors.ts";
import { describeErrno } from "../native/ffi.ts";
import { type Address, type Family, formatAddress, parseAddress } from "./address.ts";
import { closeHeld, type HeldPort, holdPort, protocolNumbers } from "./held-port.ts";
import { isInWorld } from "./netlink.ts";
import type { ContainerPort } from "./port-store.ts";

/** A port of the host that is asked for: settings/port.ts says what the fields mean. */
export interface AskedPort {
  port: number;
  protocol: string;
  address: string;
  first: number;
  last: number;
}

/** The container's address of each family, where it has one. */
export type Targets = Partial<Record<Family, Address>>;

/** Ports of the host that are ours, as long as their sockets are open. */
export interface Holding {
  ports: ContainerPort[];
  held: HeldPort[];
}

const all: Record<Family, Address> = { 4: { family: 4, value: 0n }, 6: { family: 6, value: 0n } };
/** ::1 cannot be led anywhere. */
const localhost6 = 1n;

/**
 * A socket for each, bound and held: nobody else has it from here on. Where several are asked for all or none are.
 * @param standard the address for those that name none, "" for all of them
 * @param isBrief they are let go of in a moment: no filter keeps out who comes meanwhile, as not everybody may have one
 * @throws RtError conflict | invalid-argument | forbidden | exhausted, in Docker's words where it has some
 */
export function holdPorts(
  asked: readonly AskedPort[],
  targets: Targets,
  standard = "",
  isBrief = false,
): Holding {
  const holding: Holding = { ports: [], held: [] };
  try {
    for (const each of asked) holdOne(each, targets, standard, isBrief, holding);
    return holding;
  } catch (error) {
    closeHeld(holding.held);
    throw error;
  }
}

function holdOne(
  asked: AskedPort,
  targets: Targets,
  standard: string,
  isBrief: boolean,
  holding: Holding,
): void {
  const addresses = addressesOf(asked.address || standard);
  let refusal: Refusal | undefined;
  for (const number of numbersOf(asked)) {
    const outcome = holdAt(asked, addresses, number, targets, isBrief);
    if (!("errno" in outcome)) {
      holding.ports.push(...outcome.ports);
      holding.held.push(...outcome.held);
      return;
    }
    refusal = outcome;
    if (outcome.errno !== "EADDRINUSE") break;
  }
  throw refusal ? refused(asked, refusal) : none(asked, addresses[0]!);
}

interface Refusal {
  errno: string;
  address: Address;
  port: number;
}

/** At each of the addresses the same one. */
function holdAt(
  { protocol, port }: AskedPort,
  addresses: readonly Address[],
  number: number,
  targets: Targets,
  isBrief: boolean,
): Holding | Refusal {
  const held: HeldPort[] = [];
  const ports: ContainerPort[] = [];
  for (const address of addresses) {
    const { led, handed } = wayOf(protocol, address, targets);
    const socket = holdPort(protocolNumbers[protocol]!, address, number, isBrief || handed !== undefined);
    if (typeof socket === "number") {
      held.push({
        ...{ protocol: protocolNumbers[protocol]!, address, port: number, socket },
        target: handed && { address: handed, port },
      });
    } else if (!isLacking(socket, protocol, address, addresses)) {
      closeHeld(held);
      return { errno: socket, address, port: number };
    } else if (protocol !== "sctp") continue;
    ports.push({ protocol, port, host: { address, port: number, target: led } });
  }
  return { ports, held };
}

/** Where the firewall leads what comes to an address of the host, and where the monitor hands on what comes to its socket. */
export function wayOf(
  protocol: string,
  address: Address,
  targets: Targets,
): { led: Address | undefined; handed: Address | undefined } {
  const led = isLocalhost6(address) || isInWorld() ? undefined : targets[address.family];
  // What comes to :: for ::1 comes to the socket in any case.
  const isOpen = led === undefined || (address.family === 6 && address.value === 0n);
  return { led, handed: isOpen && protocol !== "sctp" ? targetFor(address, targets) : undefined };
}

/** Its own family's, else the other's. */
function targetFor({ family }: Address, targets: Targets): Address | undefined {
  return targets[family] ?? targets[family === 4 ? 6 : 4];
}

function isLocalhost6({ family, value }: Address): boolean {
  return family === 6 && value === localhost6;
}

/** The kernel has none of that kind: SCTP without its module is a row of ours only, and a host without IPv6 has none of it. */
function isLacking(
  errno: string,
  protocol: string,
  { family }: Address,
  addresses: readonly Address[],
): boolean {
  if (protocol === "sctp" && ["EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EAFNOSUPPORT"].includes(errno))
    return true;
  return family === 6 && addresses.length > 1 && ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(errno);
}

function addressesOf(text: string): Address[] {
  const address = parseAddress(text);
  if (address) return [address];
  return existsSync("/proc/net/if_inet6") ? [all[4], all[6]] : [all[4]];
}

/** In the order in which they are tried. */
function* numbersOf({ first, last }: AskedPort): Generator<number> {
  if (last > 0) {
    for (let number = Math.max(first, 1); number <= last; number++) yield number;
    return;
  }
  const [low, high] = ephemeralRange();
  const reserved = reservedPorts();
  const count = high - low + 1;
  const start = Math.floor(Math.random() * count);
  for (let step = 0; step < count; step++) {
    const number = low + ((start + step) % count);
    if (!reserved.some(([from, to]) => number >= from && number <= to)) yield number;
  }
}

const settings = "/proc/sys/net/ipv4";

function ephemeralRange(): [number, number] {
  const [low = 32768, high = 60999] = readFileSync(`${settings}/ip_local_port_range`, "latin1")
    .trim()
    .split(/\s+/)
    .map(Number);
  return [low, high];
}

/** "8080,9000-9100" */
function reservedPorts(): [number, number][] {
  const text = readFileSync(`${settings}/ip_local_reserved_ports`, "latin1").trim();
  return text.split(",").flatMap((part): [number, number][] => {
    const [from, to = from] = part.split("-").map(Number);
    return part === "" ? [] : [[from!, to!]];
  });
}

/** Docker's words, of what another has. */
function refused({ port, protocol }: AskedPort, { errno, address, port: number }: Refusal): RtError {
  const place = portPlace(address, number);
  if (errno === "EADDRINUSE")
    return new RtError("conflict", `Bind for ${place} failed: port is already allocated`);
  const what = `failed to bind host port ${place} for ${port}/${protocol}: ${describeErrno(errno)}`;
  const hint = hintOf(errno, number);
  const code = errno === "EADDRNOTAVAIL" ? "invalid-argument" : codeOfErrno(errno);
  return new RtError(code, `${what}${hint}`);
}

function hintOf(errno: string, number: number): string {
  if (errno === "EADDRNOTAVAIL") return ": this host has no such address";
  const first = unprivilegedStart();
  if (errno !== "EACCES" || number >= first) return "";
  return `: ports below ${first} are for root alone: choose another, or let everybody have it with sysctl net.ipv4.ip_unprivileged_port_start=${number}`;
}

function unprivilegedStart(): number {
  return Number(readFileSync(`${settings}/ip_unprivileged_port_start`, "latin1"));
}

function none({ port, protocol }: AskedPort, address: Address): RtError {
  const message = `Bind for ${portPlace(address, 0)} failed: all ports are allocated, or reserved, for ${port}/${protocol}`;
  return new RtError("exhausted", message);
}

/** Is it at this address? */
export function isAt(text: string, { address }: { address: Address }): boolean {
  const wanted = parseAddress(text);
  return wanted?.family === address.family && wanted.value === address.value;
}

/** "0.0.0.0:8080", "[::]:8080" */
export function portPlace(address: Address, port: number): string {
  const text = formatAddress(address);
  return `${address.family === 6 ? `[${text}]` : text}:${port}`;
}
