import { codeOfErrno, RtError } from "../base/errors.ts";
import { RouteDestination } from "../native/abi.ts";
import { cstring, describeErrno, errnoName, native } from "../native/ffi.ts";
import { addressOfBytes, type Subnet, subnetOf } from "./address.ts";

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
  /** It gets no address of IPv6 by itself. */
  | { unnumbered: { name: string } }
  | { up: { name: string } }
  | { address: { name: string; address: Prefix } }
  /** The default route. */
  | { gateway: { name: string; address: readonly number[] } }
  | { remove: { name: string } };

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

/** What an expression of nftables does is said in zig-native/linux/net/nftables.zig. Bytes are as packets have them. */
export type Expression =
  | { meta: { key: number; register: number } }
  | { payload: { base: number; offset: number; bytes: number; register: number } }
  | { mask: { register: number; mask: readonly number[] } }
  | { compare: { register: number; operation: number; value: readonly number[] } }
  | { lookup: { register: number; set: string } }
  | { track: { key: number; register: number } }
  | { verdict: { code: number } }
  | { masquerade: Record<string, never> };

export interface Table {
  family: number;
  name: string;
  comment: string;
  sets: readonly {
    name: string;
    type: number;
    bytes: number;
    order: number;
    elements: readonly (readonly number[])[];
  }[];
  /** A table without any is taken away. */
  chains: readonly {
    name: string;
    type: "filter" | "nat";
    hook: number;
    priority: number;
    rules: readonly (readonly Expression[])[];
  }[];
}

/** Put it in the place of the table of its name, as a whole. @throws RtError */
export function replaceTable(table: Table): void {
  const request = Buffer.from(JSON.stringify(table));
  const words = new Uint8Array(wordsMax);
  const result = native().rt_firewall_replace(request, request.length, words, words.length);
  if (result >= 0) return;
  throw new RtError(
    codeOfErrno(errnoName(-result)),
    `cannot set the firewall's table ${table.name}: ${described(-result, words)}${remedy(-result)}`,
  );
}

const [ENOENT, ENODEV, EPROTONOSUPPORT, EOPNOTSUPP] = [2, 19, 93, 95];

function remedy(errno: number): string {
  const isAbsent = [ENOENT, EPROTONOSUPPORT, EOPNOTSUPP].includes(errno);
  return isAbsent ? "; this kernel lacks a part of nftables: use --network none or host" : "";
}

/** What the table's comment says; undefined without such a table. */
export function tableComment(family: number, name: string): string | undefined {
  const into = new Uint8Array(wordsMax);
  const result = native().rt_firewall_comment(family, cstring(name), into, into.length);
  if ([ENOENT, EPROTONOSUPPORT, EOPNOTSUPP].includes(-result)) return undefined;
  if (result < 0) throw unanswered(result);
  return new TextDecoder().decode(into.subarray(0, result));
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
  return new RtError(codeOfErrno(errno), `cannot ask the kernel about networks: ${describeErrno(errno)}`);
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
