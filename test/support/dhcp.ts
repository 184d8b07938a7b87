/** Messages of a server of DHCP, written by hand: RFC 2131 once more, so that no mistake of ours agrees with itself. */

export interface ServerMessage {
  kind?: number;
  xid: number;
  mac: ArrayLike<number>;
  yours?: string;
  options?: [code: number, value: ArrayLike<number>][];
  /** Of the fields that options may go on in. */
  file?: ArrayLike<number>;
  serverName?: ArrayLike<number>;
}

export const four = (text: string) => text.split(".").map(Number);
export const long = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
export const letters = (text: string) => [...Buffer.from(text, "latin1")];

/** What a server that is in order says. */
export const usual: [number, ArrayLike<number>][] = [
  [1, four("255.255.255.0")],
  [3, four("192.0.2.1")],
  [51, long(3600)],
  [54, four("192.0.2.1")],
];

export function serverMessage(message: ServerMessage): Uint8Array {
  const { kind, xid, mac, yours = "0.0.0.0", options = usual, file = [], serverName = [] } = message;
  const all = [...(kind === undefined ? [] : [[53, [kind]] as const]), ...options];
  const tail = [...all.flatMap(([code, value]) => [code, value.length, ...Array.from(value)]), 255];
  const bytes = new Uint8Array(240 + tail.length);
  bytes.set([2, 1, 6, 0, ...long(xid)]);
  bytes.set(four(yours), 16);
  bytes.set(Array.from(mac), 28);
  bytes.set(Array.from(serverName), 44);
  bytes.set(Array.from(file), 108);
  bytes.set([0x63, 0x82, 0x53, 0x63, ...tail], 236);
  return bytes;
}
