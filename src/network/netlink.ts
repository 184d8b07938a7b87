import { codeOfErrno, RtError } from "../base/errors.ts";
import { rootlessCaller } from "../base/rootless.ts";
import { RouteDestination } from "../native/abi.ts";
import { cstring, describeErrno, errnoName, native } from "../native/ffi.ts";
import { addressOfBytes, type Family, type Subnet, subnetOf } from "./address.ts";

/**
 * The kernel's networks, over librt (zig-native/lib/network.zig). What is to be done is decided here, in numbers and in the
 * names of interfaces; messages are written and answers read over there.
 */

/** Addresses in the network's order: 4 bytes, or 16. */
export interface Prefix {
  address: readonly number[];
  prefix: number;
}

export type Operation =
  | {
      bridge: {
        name: string;
        index: number;
        mac: readonly number[];
        mtu: number;
        /** Whose it is. */
        group: number;
        addresses: readonly Prefix[];
      };
    }
  /** A port of `bridge`, whose other end `peer` is in the network namespace that the call names. */
  | {
      veth: {
        bridge: string;
        link: { name: string; mtu: number; group: number; peer: string; peerMac: readonly number[] };
      };
    }
  /** The interface becomes one of the bridge again. */
  | { port: { name: string; bridge: string } }
  /** A port of a bridge that what it sends may come back to. */
  | { reflect: { name: string } }
  /** It gets no address of IPv6 by itself. */
  | { unnumbered: { name: string } }
  /** Its neighbours are told of its addresses of IPv4, when it is set up after this. */
  | { announced: { name: string } }
  | { up: { name: string } }
  | { address: { name: string; address: Prefix } }
  /** The default route of its family, in the place of the one that was there. */
  | { gateway: { name: string; address: readonly number[] } }
  /** Of a family: the interface itself is the default route. */
  | { onlink: { name: string; family: Family } }
  | { remove: { name: string } }
  /** All interfaces of a group. */
  | { removeGroup: { group: number } }
  /** Whose it is from now on. */
  | { group: { name: string; group: number } }
  | { mac: { name: string; mac: readonly number[] } }
  /** What stands on the interface `name`: the latter two in the network namespace that the call names, with mtu 0 for that of `name`. */
  | { vlan: { name: string; link: { name: string; id: number; group: number } } }
  | { macvlan: { name: string; link: { name: string; mtu: number; mac: readonly number[]; mode: number } } }
  | { ipvlan: { name: string; link: { name: string; mtu: number; mode: number; flags: number } } }
  /** One with nothing behind it. */
  | { plain: { name: string; kind: "dummy" | "ifb"; group: number } }
  /** What leaves by the interface goes no faster: bytes per second, at once, and that wait. */
  | { shape: { name: string; bytes: { rate: number; burst: number; limit: number } } }
  | { unshape: { name: string } }
  /** What arrives at the interface leaves by `to`. */
  | { redirect: { name: string; to: string } }
  | { straighten: { name: string } }
  /** Of the machine's own interfaces: what is there already is changed. */
  | { mtu: { name: string; mtu: number } }
  | { ownAddress: { name: string; address: Prefix } }
  | { giveUpAddress: { name: string; address: Prefix } }
  | { route: { name: string; route: RoutePlan } }
  | { giveUpRoute: { name: string; route: RoutePlan } };

/** An empty gateway: the destination is on the link. */
export interface RoutePlan {
  destination: Prefix;
  gateway: readonly number[];
}

/** A process in a network namespace. */
export interface Target {
  pid: number;
  startTime: bigint;
}

/** Why the kernel would not: its errno ("EEXIST"), and which of the operations it was. */
export interface Refusal {
  errno: string;
  operation: Operation | undefined;
  /** For a person. */
  text: string;
}

const wordsMax = 256;
let isOwnWorld = false;

/** From here on the network namespace `descriptor` stands for the host's: an ordinary user's own (engine/network/world.ts). */
export function enterWorld(descriptor: number): void {
  const result = native().rt_network_world(descriptor);
  if (result < 0) throw unanswered(result);
  isOwnWorld = true;
}

/** Nothing of this user's is in any firewall: he has no rights in the host's, and no world of his own yet. */
export function isStranger(): boolean {
  return !isOwnWorld && rootlessCaller() !== undefined;
}

/** What the host's sysctls say is nothing for its networks, and no port of the host's is led there by a firewall. */
export function isInWorld(): boolean {
  return isOwnWorld;
}

/**
 * Do all of `host` in this process's network namespace, then all of `inside` in the target's, up to the first that fails.
 * @returns undefined when all is done
 */
export function operate(
  host: readonly Operation[],
  inside: readonly Operation[] = [],
  target?: Target,
): Refusal | undefined {
  const request = Buffer.from(JSON.stringify({ host, inside }));
  const [done, words] = [new Uint32Array(1), new Uint8Array(wordsMax)];
  const { pid, startTime } = target ?? { pid: 0, startTime: 0n };
  const result = native().rt_network_apply(
    pid,
    startTime,
    request,
    request.length,
    done,
    words,
    words.length,
  );
  if (result >= 0) return undefined;
  const operation = [...host, ...inside][done[0]!];
  return { errno: errnoName(-result), operation, text: described(-result, words) };
}

/** The errno's words, and the kernel's about it where it has some. */
function described(errno: number, words: Uint8Array): string {
  const said = new TextDecoder().decode(words.subarray(0, Math.max(words.indexOf(0), 0)));
  return `${describeErrno(errnoName(errno))}${said === "" ? "" : `: ${said}`}`;
}

/** @throws RtError of the errno's class */
export function refused(what: string, { errno, operation, text }: Refusal): RtError {
  const [kind, details] = Object.entries(operation ?? {})[0] ?? [];
  const name = (details as { name?: string } | undefined)?.name;
  const step = kind === undefined ? "" : ` (${name === undefined ? kind : `${kind} ${name}`})`;
  return new RtError(codeOfErrno(errno), `${what}${step}: ${text}`);
}

/** Bytes as packets and the kernel have them. */
export type Bytes = readonly number[];

/** What each does, and what may be left out, is said in zig-native/linux/net/expression.zig. */
export type Expression =
  | { meta: { key: number; register: number; set?: boolean } }
  | { payload: { base: number; offset: number; bytes: number; register: number } }
  | { mask: { register: number; mask: Bytes } }
  | { compare: { register: number; operation: number; value: Bytes } }
  | { range: { register: number; operation: number; from: Bytes; to: Bytes } }
  | { lookup: { register: number; set: string; into?: number; isAbsent?: boolean } }
  | { track: { key: number; register: number; direction?: number } }
  | { verdict: { code: number; chain?: string } }
  | { immediate: { register: number; value: Bytes } }
  | { masquerade: Record<string, never> }
  | { nat: { kind: number; family: number; address?: number; port?: number; flags?: number } }
  | { fib: { register: number; result: number; flags: number } }
  | { rt: { register: number; key: number } }
  | { byteorder: { register: number; bytes: number } }
  | { exthdr: { register: number; type: number; offset: number; bytes: number } }
  | { reject: { kind: number; code?: number } }
  | { dynset: { set: string; operation: number; register: number; data?: number; timeout_ms?: number } }
  | { counter: Record<string, never> }
  | { untrack: Record<string, never> };

/** Of a set, or of a map with `data`. */
export interface Element {
  key: Bytes;
  /** The last key of an interval. */
  end?: Bytes;
  data?: Bytes;
  /** It goes by itself after so long. */
  timeout_ms?: number;
}

/** As `Set` in zig-native/linux/net/nftables.zig. */
export interface ElementSet {
  name: string;
  /** nft's number of it, and of what a map leads to: what is concatenated is shifted by six bits for each. */
  type: number;
  bytes: number;
  order: number;
  data?: { type: number; bytes: number; order: number };
  isInterval?: boolean;
  fields?: readonly number[];
  timeout_ms?: number;
  isDynamic?: boolean;
  size_max?: number;
  elements: readonly Element[];
}

export interface Chain {
  name: string;
  type?: "filter" | "nat";
  /** None: others jump to it. */
  hook?: number;
  priority?: number;
  rules: readonly (readonly Expression[])[];
}

export interface Table {
  family: number;
  name: string;
  comment: string;
  sets: readonly ElementSet[];
  /** A table without any is taken away. */
  chains: readonly Chain[];
}

/** Put it in the place of the table of its name, as a whole. @throws RtError */
export function replaceTable(table: Table): void {
  const request = Buffer.from(JSON.stringify(table));
  const words = new Uint8Array(wordsMax);
  const result = native().rt_firewall_replace(request, request.length, words, words.length);
  if (result >= 0) return;
  throw new RtError(
    isAbsent(-result) ? "unsupported" : codeOfErrno(errnoName(-result)),
    `cannot set the firewall's table ${table.name}: ${described(-result, words)}${remedy(-result)}`,
  );
}

/** Elements that come to a set or a map, or that go. */
export interface ElementChange {
  isAdded: boolean;
  family: number;
  table: string;
  set: string;
  elements: readonly Element[];
}

/**
 * All of the changes in their order, as one. What goes may be gone already, and its table too; what is there already with the
 * same data stays; what is there with other data has to go first.
 * @throws RtError not-found: the table or the set of what comes is not there
 */
export function changeElements(changes: readonly ElementChange[]): void {
  const request = Buffer.from(JSON.stringify(changes));
  const words = new Uint8Array(wordsMax);
  const result = native().rt_firewall_change(request, request.length, words, words.length);
  if (result >= 0) return;
  const tables = [...new Set(changes.map(({ table }) => table))].join(", ");
  throw new RtError(
    codeOfErrno(errnoName(-result)),
    `cannot change the firewall's table ${tables}: ${described(-result, words)}`,
  );
}

/**
 * What the kernel remembers of flows to these ports is forgotten. One that cannot be asked for that forgets them by itself, half
 * a minute after the last packet.
 */
export function forgetFlows(protocol: number, ports: readonly number[]): void {
  if (ports.length === 0) return;
  toleratedOf(native().rt_forget_flows(protocol, Uint32Array.from(ports), ports.length));
}

/** The same of all that began at this address, and what led to it: 4 bytes, or 16. */
export function forgetAddress(address: Bytes): void {
  toleratedOf(native().rt_forget_address(Uint8Array.from(address), address.length));
}

function toleratedOf(result: number): void {
  // Who may not change this host's networks has led nobody there, either.
  const isUnable = [EPERM, ENOENT, EINVAL, EPROTONOSUPPORT, EOPNOTSUPP].includes(-result);
  if (result < 0 && !isUnable) throw unanswered(result);
}

const [EPERM, ENOENT, ENODEV, EINVAL, EPROTONOSUPPORT, EOPNOTSUPP] = [1, 2, 19, 22, 93, 95];

function isAbsent(errno: number): boolean {
  return [ENOENT, EPROTONOSUPPORT, EOPNOTSUPP].includes(errno);
}

function remedy(errno: number): string {
  if (errno === EPERM) return "; rt may not change this host's networks: use --network none or host";
  return isAbsent(errno) ? "; this kernel lacks a part of nftables: use --network none or host" : "";
}

/** The keys of a set, each of so many bytes, as far as they are not too many; none without such a set. @throws RtError */
export function elementKeys(family: number, table: string, set: string, bytes: number): Uint8Array[] {
  const into = new Uint8Array(keysMax * bytes);
  const result = native().rt_firewall_keys(family, cstring(table), cstring(set), into, into.length);
  if (isAbsent(-result)) return [];
  if (result < 0) throw unanswered(result);
  const count = Math.floor(Math.min(result, into.length) / bytes);
  return Array.from({ length: count }, (_, index) => into.subarray(index * bytes, (index + 1) * bytes));
}

const keysMax = 20_000;

/** What the table's comment says; undefined without such a table. */
export function tableComment(family: number, name: string): string | undefined {
  const into = new Uint8Array(wordsMax);
  const result = native().rt_firewall_comment(family, cstring(name), into, into.length);
  if (isAbsent(-result) || (-result === EPERM && isStranger())) return undefined;
  if (result < 0) throw unanswered(result);
  return new TextDecoder().decode(into.subarray(0, result));
}

/** "FORWARD of table filter": a chain that drops what this host forwards, but for what its rules let through. */
export function closedForward(family: number): string | undefined {
  const into = new Uint8Array(wordsMax);
  const result = native().rt_firewall_closed(family, into, into.length);
  if (result < 0 && !isAbsent(-result)) throw unanswered(result);
  return result > 0 ? new TextDecoder().decode(into.subarray(0, result)) : undefined;
}

/** The group that an interface is in, and whether packets go through it; undefined without such an interface. */
export function linkFacts(name: string): { group: number; isUp: boolean } | undefined {
  const facts = new Uint32Array(2);
  const result = native().rt_link_facts(cstring(name), facts);
  if (result === -ENODEV) return undefined;
  if (result < 0) throw unanswered(result);
  return { group: facts[0]!, isUp: facts[1] === operationalUp };
}

/** IF_OPER_UP */
const operationalUp = 6;

function unanswered(result: number): RtError {
  const errno = errnoName(-result);
  const text = `cannot ask the kernel about networks: ${describeErrno(errno)}${remedy(-result)}`;
  return new RtError(codeOfErrno(errno), text);
}

const destinationsMax = 8192;
const AF_INET = 2;

/** Where this host's routes lead, but for those that lead everywhere. @throws RtError; exhausted: they are too many */
export function routeDestinations(): Subnet[] {
  const words = new Uint32Array((destinationsMax * RouteDestination.bytes) / 4);
  const count = native().rt_route_destinations(words, destinationsMax);
  if (count < 0) {
    const errno = errnoName(-count);
    throw new RtError(codeOfErrno(errno), `cannot read this host's routes: ${describeErrno(errno)}`);
  }
  if (count > destinationsMax)
    throw new RtError("exhausted", `this host has ${count} routes: choose a subnet with --subnet`);
  return Array.from({ length: count }, (_, index) => destinationAt(words, index));
}

function destinationAt(words: Uint32Array, index: number): Subnet {
  const { bytes, family, prefix, address } = RouteDestination;
  const view = new DataView(words.buffer, index * bytes, bytes);
  const length = view.getUint32(family, true) === AF_INET ? 4 : 16;
  const value = new Uint8Array(words.buffer, index * bytes + address, length);
  return subnetOf(addressOfBytes(value), view.getUint32(prefix, true));
}
