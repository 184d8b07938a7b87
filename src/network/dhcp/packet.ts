/**
 * A datagram of UDP in a packet of IPv4, for a host that has no address yet: what the kernel does for others.
 * The checksum of UDP is written and not read: where a virtual machine's host has sent it, nobody has filled it in.
 */
import type { Address4 } from "./message.ts";

export const ports = { server: 67, client: 68 } as const;

const headerBytes = 20;
const udpBytes = 8;
const udp = 17;
const timeToLive = 64;

export function writePacket(data: Uint8Array, from: Address4, to: Address4): Uint8Array {
  const packet = new Uint8Array(headerBytes + udpBytes + data.length);
  const view = new DataView(packet.buffer);
  const size = udpBytes + data.length;
  view.setUint16(0, 0x4500);
  view.setUint16(2, packet.length);
  view.setUint8(8, timeToLive);
  view.setUint8(9, udp);
  packet.set(from, 12);
  packet.set(to, 16);
  view.setUint16(10, folded(sum(packet.subarray(0, headerBytes))));
  view.setUint16(headerBytes, ports.client);
  view.setUint16(headerBytes + 2, ports.server);
  view.setUint16(headerBytes + 4, size);
  packet.set(data, headerBytes + udpBytes);
  const pseudo = sum(packet.subarray(12, headerBytes)) + udp + size;
  view.setUint16(headerBytes + 6, folded(pseudo + sum(packet.subarray(headerBytes))) || 0xffff);
  return packet;
}

/** What a packet from a server's port to a client's holds; undefined for any other, or a piece of one. */
export function readPacket(packet: Uint8Array): Uint8Array | undefined {
  if (packet.length < headerBytes) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const header = (packet[0]! & 15) * 4;
  const total = view.getUint16(2);
  const isWhole = (view.getUint16(6) & 0x3fff) === 0;
  if (packet[0]! >> 4 !== 4 || header < headerBytes || packet[9] !== udp || !isWhole) return undefined;
  // A short frame is filled up behind the packet.
  if (total > packet.length || total < header + udpBytes) return undefined;
  if (folded(sum(packet.subarray(0, header))) !== 0) return undefined;
  const size = view.getUint16(header + 4);
  if (size < udpBytes || header + size > total) return undefined;
  if (view.getUint16(header) !== ports.server || view.getUint16(header + 2) !== ports.client)
    return undefined;
  return packet.subarray(header + udpBytes, header + size);
}

function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2) total += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  return total;
}

function folded(total: number): number {
  let rest = total;
  while (rest > 0xffff) rest = (rest & 0xffff) + Math.floor(rest / 0x10000);
  return ~rest & 0xffff;
}
