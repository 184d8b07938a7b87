import { Reader, type Variant, Writer } from "./wire.ts";

/** Of the D-Bus Specification, "Message Protocol". */
export const messageKinds = { call: 1, reply: 2, error: 3, signal: 4 } as const;

export interface Call {
  path: string;
  interface: string;
  member: string;
  /** Of the arguments. */
  signature: string;
  body: readonly unknown[];
  /** "" for whoever is at the other end. */
  destination: string;
}

export interface Message {
  kind: number;
  /** What it answers; 0: nothing. */
  answers: number;
  member: string;
  /** As the bus says; "" where there is none between. */
  sender: string;
  /** Of an error: its name. */
  error: string;
  body: unknown[];
}

/** Header fields: path, interface, member, error name, what is answered, destination, sender, signature. */
const fields = {
  path: 1,
  interface: 2,
  member: 3,
  error: 4,
  answers: 5,
  destination: 6,
  sender: 7,
  signature: 8,
} as const;
/** More is said by nobody who has to do with units. */
const bytesMax = 1 << 20;
const fixedBytes = 16;

export function encodeCall(serial: number, call: Call): Buffer {
  const body = new Writer().all(call.signature, call.body).bytes;
  const list: [number, Variant][] = [
    [fields.path, ["o", call.path]],
    [fields.interface, ["s", call.interface]],
    [fields.member, ["s", call.member]],
  ];
  if (call.destination !== "") list.push([fields.destination, ["s", call.destination]]);
  if (call.signature !== "") list.push([fields.signature, ["g", call.signature]]);
  const head = new Writer().all("yyyyuua(yv)", [
    "l".charCodeAt(0),
    messageKinds.call,
    0,
    1,
    body.length,
    serial,
    list,
  ]);
  head.align(8);
  return Buffer.concat([head.bytes, body]);
}

/**
 * The first message in `bytes`, and how many of them it has; undefined: it is not all there yet.
 * @throws RangeError: it is none
 */
export function decodeMessage(bytes: Buffer): { message: Message; length: number } | undefined {
  if (bytes.length < fixedBytes) return undefined;
  if (bytes[0] !== "l".charCodeAt(0)) throw new RangeError("a D-Bus message with its big end first");
  const bodyBytes = bytes.readUInt32LE(4);
  const listBytes = bytes.readUInt32LE(12);
  if (bodyBytes > bytesMax || listBytes > bytesMax) throw new RangeError("a D-Bus message is too large");
  const headBytes = Math.ceil((fixedBytes + listBytes) / 8) * 8;
  const length = headBytes + bodyBytes;
  if (bytes.length < length) return undefined;
  const head = new Reader(bytes.subarray(0, headBytes)).all("yyyyuua(yv)");
  const found = new Map((head[6] as [number, Variant][]).map(([field, [, value]]) => [field, value]));
  const text = (field: number) => String(found.get(field) ?? "");
  return {
    length,
    message: {
      kind: Number(head[1]),
      answers: Number(found.get(fields.answers) ?? 0),
      member: text(fields.member),
      sender: text(fields.sender),
      error: text(fields.error),
      body: new Reader(bytes.subarray(headBytes, length)).all(text(fields.signature)),
    },
  };
}
