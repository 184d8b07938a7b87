/**
 * Messages of DHCP (RFC 2131, options of RFC 2132), as a client writes and reads them. What is read came over the wire from
 * anybody: no length in it is believed, and what is no message is undefined.
 *
 *   op htype hlen hops  xid  secs flags  ciaddr yiaddr siaddr giaddr  chaddr(16)  sname(64)  file(128)  cookie  options …
 */

/** Four bytes, in the network's order. */
export type Address4 = readonly [number, number, number, number];

export const kinds = { discover: 1, offer: 2, request: 3, decline: 4, ack: 5, nak: 6 } as const;

export const code = {
  mask: 1,
  routers: 3,
  servers: 6,
  hostname: 12,
  domain: 15,
  mtu: 26,
  address: 50,
  leaseTime: 51,
  overload: 52,
  kind: 53,
  server: 54,
  wanted: 55,
  sizeMax: 57,
  renewal: 58,
  rebinding: 59,
  search: 119,
  routes: 121,
} as const;

export interface Question {
  kind: number;
  xid: number;
  /** Of Ethernet: six bytes. */
  mac: Uint8Array;
  /** Since the client began to ask. */
  seconds: number;
  /** An address that the client has, and answers at; without one it wants to be answered by broadcast. */
  own?: Address4;
  options: readonly (readonly [code: number, value: ArrayLike<number>])[];
}

export interface ServerAnswer {
  kind: number;
  xid: number;
  /** The address that is offered. */
  yours: Address4;
  mac: Uint8Array;
  options: ReadonlyMap<number, Uint8Array>;
}

const fixedBytes = 236;
const optionsAt = 240;
const cookie = 0x63825363;
const [bootRequest, bootReply] = [1, 2];
const ethernet = 1;
const macBytes = 6;
const broadcastFlag = 0x8000;
/** What relays of old expect at least. */
const bytesMin = 300;
const [pad, end] = [0, 255];
const [serverNameAt, fileAt] = [44, 108];

export function writeQuestion({ kind, xid, mac, seconds, own, options }: Question): Uint8Array {
  const parts = [[code.kind, [kind]] as const, ...options].flatMap(([number, value]) => [
    number,
    value.length,
    ...Array.from(value),
  ]);
  const bytes = new Uint8Array(Math.max(optionsAt + parts.length + 1, bytesMin));
  const view = new DataView(bytes.buffer);
  bytes.set([bootRequest, ethernet, macBytes, 0]);
  view.setUint32(4, xid);
  view.setUint16(8, Math.min(Math.max(Math.floor(seconds), 0), 0xffff));
  view.setUint16(10, own ? 0 : broadcastFlag);
  if (own) bytes.set(own, 12);
  bytes.set(mac.subarray(0, macBytes), 28);
  view.setUint32(fixedBytes, cookie);
  bytes.set([...parts, end], optionsAt);
  return bytes;
}

/** A server's message; undefined for what is none. */
export function readServerAnswer(bytes: Uint8Array): ServerAnswer | undefined {
  if (bytes.length < optionsAt) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isReply = bytes[0] === bootReply && bytes[1] === ethernet && bytes[2] === macBytes;
  if (!isReply || view.getUint32(fixedBytes) !== cookie) return undefined;
  const options = new Map<number, Uint8Array>();
  if (!readOptions(bytes.subarray(optionsAt), options)) return undefined;
  // Where the options go on in fields that a client of DHCP has no other use for. Not from there to elsewhere.
  const overload = options.get(code.overload)?.[0] ?? 0;
  if ((overload & 1) !== 0 && !readOptions(bytes.subarray(fileAt, fixedBytes), options)) return undefined;
  if ((overload & 2) !== 0 && !readOptions(bytes.subarray(serverNameAt, fileAt), options)) return undefined;
  const kind = options.get(code.kind);
  if (kind?.length !== 1) return undefined;
  return {
    kind: kind[0]!,
    xid: view.getUint32(4),
    yours: address4(bytes.subarray(16, 20))!,
    mac: bytes.slice(28, 28 + macBytes),
    options,
  };
}

/** Adds them to `into`: one that is there already goes on (RFC 3396). False: a length goes beyond the end. */
function readOptions(bytes: Uint8Array, into: Map<number, Uint8Array>): boolean {
  let at = 0;
  while (at < bytes.length) {
    const number = bytes[at++]!;
    if (number === pad) continue;
    if (number === end) return true;
    const length = bytes[at++];
    if (length === undefined || at + length > bytes.length) return false;
    const before = into.get(number) ?? new Uint8Array();
    into.set(number, Buffer.concat([before, bytes.subarray(at, at + length)]));
    at += length;
  }
  // Some servers forget the end.
  return true;
}

export function address4(bytes: Uint8Array | undefined): Address4 | undefined {
  return bytes?.length === 4 ? [bytes[0]!, bytes[1]!, bytes[2]!, bytes[3]!] : undefined;
}
