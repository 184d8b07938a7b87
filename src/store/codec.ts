import { RtError } from "../base/errors.ts";
import { type Shape, ShapeError } from "../base/shape.ts";
import { decodeCbor } from "./cbor-decode.ts";
import { encodeCbor } from "./cbor-encode.ts";

/**
 * A record on disk is one CBOR value (RFC 8949), an array of three:
 *
 *   83                        array(3)
 *   67 "image/1"              what it is, and the version of its shape
 *   1a xxxxxxxx               CRC-32 of the bytes that follow: a flipped bit is noticed even inside a text
 *   …                         the record, maps with text keys
 *
 * The first two have a fixed length, so they are checked before a decoder sees anything.
 */
export interface RecordType<T> {
  /** "image", "container": for the header and for messages. */
  kind: string;
  version: number;
  shape: Shape<T>;
  /** What someone should do about a damaged one. */
  remedy: string;
}

const crcLength = 5;

function header(type: { kind: string; version: number }): Uint8Array {
  const name = `${type.kind}/${type.version}`;
  let head = headers.get(name);
  if (!head) {
    const text = new TextEncoder().encode(name);
    head = new Uint8Array([0x83, 0x60 + text.length, ...text]);
    headers.set(name, head);
  }
  return head;
}

const headers = new Map<string, Uint8Array>();

export function encodeRecord<T>(type: RecordType<T>, record: T): Uint8Array {
  const body = encodeCbor(record);
  const head = header(type);
  const bytes = new Uint8Array(head.length + crcLength + body.length);
  bytes.set(head);
  bytes[head.length] = 0x1a;
  new DataView(bytes.buffer).setUint32(head.length + 1, Bun.hash.crc32(body));
  bytes.set(body, head.length + crcLength);
  return bytes;
}

/** @throws RtError data-loss, naming the record `name` and the remedy; unsupported when a newer rt wrote it */
export function decodeRecord<T>(type: RecordType<T>, bytes: Uint8Array, name: string): T {
  const record = decodeBody(type, checkedBody(type, bytes, name), name);
  try {
    return type.shape(record, "");
  } catch (error) {
    if (error instanceof ShapeError) throw damaged(type, name, error.message, error);
    throw error;
  }
}

/**
 * The record's own bytes, once the header and the checksum are right: that tells a damaged one at a hundredth of what
 * decoding costs. @throws as decodeRecord
 */
export function checkedBody<T>(type: RecordType<T>, bytes: Uint8Array, name: string): Uint8Array {
  const head = header(type);
  if (!startsWith(bytes, head)) throw strange(type, bytes, name);
  const body = bytes.subarray(head.length + crcLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < head.length + crcLength || bytes[head.length] !== 0x1a)
    throw damaged(type, name, "it is cut short");
  if (view.getUint32(head.length + 1) !== Bun.hash.crc32(body))
    throw damaged(type, name, "its checksum is wrong");
  return body;
}

function decodeBody<T>(type: RecordType<T>, body: Uint8Array, name: string): unknown {
  try {
    return decodeCbor(body);
  } catch (error) {
    throw damaged(type, name, error instanceof Error ? error.message : String(error), error);
  }
}

function startsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  for (let index = 0; index < head.length; index++) if (bytes[index] !== head[index]) return false;
  return true;
}

function strange<T>(type: RecordType<T>, bytes: Uint8Array, name: string): RtError {
  const length = (bytes[1] ?? 0) - 0x60;
  const found = /^([a-z]+)\/(\d+)$/.exec(
    Buffer.from(bytes.subarray(2, 2 + Math.max(0, length))).toString("latin1"),
  );
  if (bytes[0] === 0x83 && found?.[1] === type.kind && Number(found[2]) > type.version) {
    return new RtError(
      "unsupported",
      `the record of ${type.kind} ${name} was written by a newer rt: use that one`,
    );
  }
  return damaged(type, name, "it does not start as one");
}

function damaged<T>(type: RecordType<T>, name: string, why: string, cause?: unknown): RtError {
  const message = `the stored record of ${type.kind} ${name} is damaged (${why}): ${type.remedy}`;
  return new RtError("data-loss", message, cause === undefined ? {} : { cause });
}
