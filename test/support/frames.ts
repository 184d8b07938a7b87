/**
 * Frames of Ethernet, as the prober sends and sees them: in hexadecimal digits.
 *
 *   arp({ from: mac, sender: mac, ip: "10.5.0.2", asks: "10.5.0.3" })
 *   udp4({ from: mac, to: other, source: "10.5.0.2", target: "10.5.0.3", text: "hello" })
 */
import { addressBytes, parseAddress } from "../../src/network/address.ts";

const everyone = "ff:ff:ff:ff:ff:ff";

export function hexOf(text: string): string {
  return Buffer.from(text).toString("hex");
}

function mac(text: string): number[] {
  return text.split(":").map((byte) => Number.parseInt(byte, 16));
}

function ip(text: string): number[] {
  return addressBytes(parseAddress(text)!);
}

const word = (value: number) => [value >> 8, value & 255];

export function frame(from: string, to: string, type: number, body: readonly number[], tag?: number): string {
  const tagged = tag === undefined ? [] : [...word(0x8100), ...word(tag)];
  return Buffer.from([...mac(to), ...mac(from), ...tagged, ...word(type), ...body]).toString("hex");
}

export interface ArpFields {
  from: string;
  to?: string;
  /** What it says of whom. */
  sender?: string;
  ip: string;
  asks?: string;
  /** 1: a question; 2: an answer. */
  operation?: number;
  tag?: number;
}

export function arp({
  from,
  to = everyone,
  sender = from,
  ip: own,
  asks = own,
  operation = 2,
  tag,
}: ArpFields): string {
  const head = [...word(1), ...word(0x0800), 6, 4, ...word(operation)];
  const target = to === everyone ? "00:00:00:00:00:00" : to;
  return frame(from, to, 0x0806, [...head, ...mac(sender), ...ip(own), ...mac(target), ...ip(asks)], tag);
}

function sum(bytes: readonly number[]): number[] {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2) total += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return word(~total & 0xffff);
}

export interface PacketFields {
  from: string;
  to?: string;
  source: string;
  target: string;
  ports?: readonly [number, number];
  text?: string;
  tag?: number;
}

/** A datagram of UDP, in IPv4 or in IPv6. */
export function udp({
  from,
  to = everyone,
  source,
  target,
  ports = [5555, 9],
  text = "",
  tag,
}: PacketFields): string {
  const body = [...Buffer.from(text)];
  const datagram = (check: readonly number[]) => [
    ...ports.flatMap(word),
    ...word(8 + body.length),
    ...check,
    ...body,
  ];
  return packet({ from, to, source, target, ...(tag !== undefined && { tag }) }, 17, datagram);
}

/** A message of ICMP in IPv6. */
export function icmp6(
  fields: Omit<PacketFields, "ports" | "text">,
  type: number,
  rest: readonly number[],
): string {
  return packet(fields, 58, (check) => [type, 0, ...check, ...rest]);
}

/** A neighbour's answer: `target` is at `mac`. */
export function advertisement(
  fields: Omit<PacketFields, "ports" | "text">,
  target: string,
  at: string,
): string {
  return icmp6(fields, 136, [0x60, 0, 0, 0, ...ip(target), 2, 1, ...mac(at)]);
}

/** Whether somebody has `target`. */
export function solicitation(fields: Omit<PacketFields, "ports" | "text">, target: string): string {
  return icmp6(fields, 135, [0, 0, 0, 0, ...ip(target)]);
}

/** A router that is one for an hour. */
export function router(fields: Omit<PacketFields, "ports" | "text">): string {
  return icmp6(fields, 134, [64, 0, ...word(3600), 0, 0, 0, 0, 0, 0, 0, 0]);
}

/** @param build the body, once its checksum is known */
function packet(
  { from, to = everyone, source, target, tag }: Omit<PacketFields, "ports" | "text">,
  protocol: number,
  build: (check: readonly number[]) => number[],
): string {
  const [own, other] = [ip(source), ip(target)];
  const plain = build([0, 0]);
  const lengths =
    own.length === 4
      ? [0, protocol, ...word(plain.length)]
      : [0, 0, ...word(plain.length), 0, 0, 0, protocol];
  const body = build(sum([...own, ...other, ...lengths, ...plain]));
  if (own.length === 16) {
    const head = [0x60, 0, 0, 0, ...word(body.length), protocol, 255];
    return frame(from, to, 0x86dd, [...head, ...own, ...other, ...body], tag);
  }
  const head = (check: readonly number[]) => [
    0x45,
    0,
    ...word(20 + body.length),
    0,
    1,
    0,
    0,
    64,
    protocol,
    ...check,
    ...own,
    ...other,
  ];
  return frame(from, to, 0x0800, [...head(sum(head([0, 0]))), ...body], tag);
}
