import { RtError } from "../base/errors.ts";
import type { Duplex } from "./duplex.ts";

/** The first lines of a message, RFC 9112. Names of fields are in lower case; the values of one that comes twice are joined by ", ". */
export type HeaderFields = ReadonlyMap<string, string>;

export interface RequestHead {
  method: string;
  /** As it was sent: "/v1.51/containers/json?all=1". */
  target: string;
  /** Of HTTP/1. */
  minor: 0 | 1;
  fields: HeaderFields;
}

export interface ResponseHead {
  status: number;
  reason: string;
  minor: 0 | 1;
  fields: HeaderFields;
}

/** A message that is none, or larger than any client's. It is answered with 400, and the connection ends. */
export class MessageError extends RtError {
  constructor(message: string) {
    super("invalid-argument", message);
  }
}

const headBytesMax = 64 << 10;
const fieldsMax = 128;

/** @returns the lines of the next message's head; undefined when the other side ended before one. @throws MessageError */
export async function readHead(wire: Duplex): Promise<string[] | undefined> {
  let head: Uint8Array = new Uint8Array();
  while (true) {
    const piece = await wire.read();
    if (!piece) {
      if (head.length === 0) return undefined;
      throw new MessageError("the message ends in its head");
    }
    const from = Math.max(0, head.length - 3);
    head = head.length === 0 ? piece : Buffer.concat([head, piece]);
    const end = Buffer.from(head.buffer, head.byteOffset, head.length).indexOf("\r\n\r\n", from, "latin1");
    if (end > headBytesMax || (end < 0 && head.length > headBytesMax))
      throw new MessageError(`the head of the message is longer than ${headBytesMax >> 10} KiB`);
    if (end < 0) continue;
    wire.unread(head.subarray(end + 4));
    const text = Buffer.from(head.buffer, head.byteOffset, end).toString("latin1");
    // Between two messages one empty line is let pass, RFC 9112, section 2.2.
    return (text.startsWith("\r\n") ? text.slice(2) : text).split("\r\n");
  }
}

const requestLine = /^([A-Z]{1,16}) ([!-~]{1,16384}) HTTP\/1\.([01])$/;
const statusLine = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

/** @throws MessageError */
export function requestHead([first = "", ...lines]: readonly string[]): RequestHead {
  const [, method, target, minor] = requestLine.exec(first) ?? [];
  if (method === undefined || target === undefined) throw new MessageError("that is no request of HTTP/1.1");
  return { method, target, minor: minor === "1" ? 1 : 0, fields: fieldsOf(lines) };
}

/** @throws MessageError */
export function responseHead([first = "", ...lines]: readonly string[]): ResponseHead {
  const [, minor, status, reason = ""] = statusLine.exec(first) ?? [];
  if (status === undefined) throw new MessageError("that is no answer of HTTP/1.1");
  return { status: Number(status), reason, minor: minor === "1" ? 1 : 0, fields: fieldsOf(lines) };
}

const field = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

function fieldsOf(lines: readonly string[]): HeaderFields {
  if (lines.length > fieldsMax) throw new MessageError(`the message has more than ${fieldsMax} fields`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = field.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new MessageError("a field of the message is none");
    const key = name.toLowerCase();
    const before = fields.get(key);
    // Two lengths, or two hosts, are one too many: whoever reads the other one reads another message.
    if (before !== undefined && (key === "content-length" || key === "host" || key === "transfer-encoding"))
      throw new MessageError(`the message has more than one ${name}`);
    fields.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}

/** Whether a field that is a list ("Connection: keep-alive, Upgrade") has `word`, in any case. */
export function hasWord(fields: HeaderFields, name: string, word: string): boolean {
  const list = fields.get(name)?.toLowerCase().split(",") ?? [];
  return list.some((each) => each.trim() === word);
}

/** What goes before a body. @param first "HTTP/1.1 200 OK" or "GET /_ping HTTP/1.1" */
export function headText(first: string, fields: Iterable<readonly [string, string]>): string {
  let text = `${first}\r\n`;
  for (const [name, value] of fields) text += `${name}: ${oneLine(value)}\r\n`;
  return `${text}\r\n`;
}

/** A value with a line end would be two fields. */
function oneLine(value: string): string {
  return value.replace(/[^\t\x20-\x7e\x80-\xff]/g, "?");
}
