import { type Address, addressBytes, bitsOf, type Family, type Subnet } from "./address.ts";
import type { Bytes, Element, ElementSet, Expression } from "./netlink.ts";

/**
 * Words for the rules of nftables. What is compared with a set of several parts is put into registers that follow each other,
 * by `key`:
 *
 *   [...key(input, networkBytes(12, 4)), inSet("homes")]        iifname . ip saddr @homes
 */

/** linux/socket.h; the kernel's own for bridges. */
export const families = { 4: 2, 6: 10, bridge: 7 } as const;

/** NF_INET_*, NF_BR_* */
export const hooks = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

/** nft's numbers of types, by which it shows elements. */
export const types = {
  interface: 41,
  group: 35,
  ether: 9,
  4: 7,
  6: 8,
  protocol: 12,
  service: 13,
} as const;

/** Nothing but a number is loaded: its length, and how it gets into a register. */
export interface Part {
  bytes: number;
  into(register: number): Expression;
}

/** enum nft_meta_keys */
const metaKeys = { input: 6, output: 7, transport: 16, inputGroup: 21, outputGroup: 22 } as const;

function meta(key: number, bytes: number): Part {
  return { bytes, into: (register) => ({ meta: { key, register } }) };
}

function payload(base: number, offset: number, bytes: number): Part {
  return { bytes, into: (register) => ({ payload: { base, offset, bytes, register } }) };
}

export const input = meta(metaKeys.input, 16);
export const output = meta(metaKeys.output, 16);
export const inputGroup = meta(metaKeys.inputGroup, 4);
export const outputGroup = meta(metaKeys.outputGroup, 4);
/** The protocol above IP, behind all headers of IPv6. */
export const transport = meta(metaKeys.transport, 1);
export const frameBytes = (offset: number, bytes: number) => payload(0, offset, bytes);
/** Of a frame that has no tag. */
export const etherType = frameBytes(12, 2);
export const networkBytes = (offset: number, bytes: number) => payload(1, offset, bytes);
export const transportBytes = (offset: number, bytes: number) => payload(2, offset, bytes);
export const sourceAddress = (family: Family) => networkBytes(family === 4 ? 12 : 8, bitsOf(family) / 8);
export const destinationAddress = (family: Family) =>
  networkBytes(family === 4 ? 16 : 24, bitsOf(family) / 8);

/** Registers of 4 bytes begin here. */
const first = 8;

/** The parts one after the other, from the first register on. */
export function key(...parts: readonly Part[]): Expression[] {
  let register: number = first;
  return parts.map((part) => {
    const expression = part.into(register);
    register += Math.ceil(part.bytes / 4);
    return expression;
  });
}

export function inSet(set: string): Expression {
  return { lookup: { register: first, set } };
}

export function notInSet(set: string): Expression {
  return { lookup: { register: first, set, isAbsent: true } };
}

export function is(part: Part, value: Bytes): Expression[] {
  return [part.into(first), { compare: { register: first, operation: 0, value } }];
}

export function isNot(part: Part, value: Bytes): Expression[] {
  return [part.into(first), { compare: { register: first, operation: 1, value } }];
}

/** Under the mask it is `value`. */
export function isUnder(part: Part, mask: Bytes, value: Bytes): Expression[] {
  const register = first;
  return [part.into(register), { mask: { register, mask } }, { compare: { register, operation: 0, value } }];
}

/** The connection is one that was let through before, or belongs to one. */
export function isKnown(): Expression[] {
  const [state, established, related] = [0, 2, 4];
  return [
    { track: { key: state, register: first } },
    { mask: { register: first, mask: numberBytes(established | related) } },
    { compare: { register: first, operation: 1, value: numberBytes(0) } },
  ];
}

export const drop: Expression = { verdict: { code: 0 } };
export const accept: Expression = { verdict: { code: 1 } };
export const jump = (chain: string): Expression => ({ verdict: { code: -3, chain } });

/** The packet's source is in the subnet. */
export function isFrom(subnet: Subnet): Expression[] {
  const rest = BigInt(bitsOf(subnet.family) - subnet.prefix);
  const ones = ((1n << BigInt(subnet.prefix)) - 1n) << rest;
  const mask = addressBytes({ family: subnet.family, value: ones });
  return isUnder(sourceAddress(subnet.family), mask, addressBytes(subnet));
}

/** Keys of a set are these, one after the other. */
export interface Field {
  type: number;
  /** Filled up to a multiple of four. */
  bytes: number;
  /** 1: as the machine has numbers. */
  order: 0 | 1;
}

export const fields = {
  interface: { type: types.interface, bytes: 16, order: 1 },
  group: { type: types.group, bytes: 4, order: 1 },
  ether: { type: types.ether, bytes: 8, order: 0 },
  protocol: { type: types.protocol, bytes: 4, order: 0 },
  service: { type: types.service, bytes: 4, order: 0 },
  4: { type: types[4], bytes: 4, order: 0 },
  6: { type: types[6], bytes: 16, order: 0 },
} as const;

export function setOf(name: string, parts: readonly Field[], elements: readonly Element[]): ElementSet {
  return {
    name,
    type: parts.reduce((sum, { type }) => (sum << 6) | type, 0),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    order: parts.length === 1 ? parts[0]!.order : 0,
    elements,
  };
}

/** As the kernel has an interface's name: 16 bytes. */
export function interfaceBytes(name: string): number[] {
  return [...Buffer.alloc(16, `${name}\0`, "latin1").fill(0, name.length)];
}

/** A number of the machine's own. */
export function numberBytes(value: number): number[] {
  return [...new Uint8Array(Uint32Array.of(value).buffer)];
}

/** "02:42:ac:11:00:02" */
export function etherBytes(mac: string): number[] {
  return mac.split(":").map((byte) => Number.parseInt(byte, 16));
}

export function ofFamily(family: Family, addresses: readonly Address[]): Address[] {
  return addresses.filter((each) => each.family === family);
}
