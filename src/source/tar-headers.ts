import { posix } from "node:path";
import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";

export const tarBlock = 512;
const extensionBytesMax = 1024 * 1024;
/** Of files and links, which are kept. An archive of images has 100 for each. */
const namesLengthMax = 16 << 20;
const decoder = new TextDecoder();

/** A file of a tar, or a link to one: what else may be in there is `other`. */
export interface TarMember {
  name: string;
  kind: "file" | "link" | "other";
  /** Names of a link's target, the likelier one first. */
  targets?: readonly string[];
}

/** What a header says, and how many bytes follow it, up to a whole block. */
export type TarStep =
  | { kind: "end" }
  | { kind: "extension"; type: string; size: number }
  | { kind: "member"; member: TarMember; size: number };

interface Extended {
  name?: string;
  link?: string;
  size?: number;
}

/**
 * Headers of a tar, one after the other: ustar, PAX (path, linkpath, size) and GNU long names. Names serve as keys and never as
 * paths, so that "../../etc/passwd" is a strange key and nothing else.
 *
 *   const step = headers.next(block)      → end; a member; or an extension, whose bytes `extend` wants before the next block
 *
 * @throws data-loss: no tar, or a header that does not add up; exhausted: an extension beyond 1 MiB, or all names beyond 16
 */
export class TarHeaders {
  readonly #what: string;
  #next: Extended = {};
  #namesLength = 0;
  #isFirst = true;

  constructor(what: string) {
    this.#what = what;
  }

  next(header: Uint8Array): TarStep {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (header.every((byte) => byte === 0)) {
      if (isFirst) throw new RtError("data-loss", `${this.#what} is an empty tar`);
      return { kind: "end" };
    }
    checkSum(header, this.#what);
    const type = String.fromCharCode(header[156]!);
    const size = numberAt(header, 124, 12, this.#what);
    if (!/[xgLK]/.test(type)) return this.#member(header, type, size);
    if (size <= extensionBytesMax) return { kind: "extension", type, size };
    throw new RtError("exhausted", `${this.#what} has a name of ${size} bytes: refused`);
  }

  extend(type: string, data: Uint8Array): void {
    extend(this.#next, type, data, this.#what);
  }

  #member(header: Uint8Array, type: string, own: number): TarStep {
    const { name, link } = { ...nameAndLink(header), ...this.#next };
    const size = /[1-6]/.test(type) ? 0 : (this.#next.size ?? own);
    this.#next = {};
    const member = memberOf(bare(name), bare(link), type);
    if (member.kind !== "other") this.#namesLength += name.length + link.length;
    if (this.#namesLength <= namesLengthMax) return { kind: "member", member, size };
    throw new RtError("exhausted", `${this.#what} has too many names, or too long ones: refused`);
  }
}

function memberOf(name: string, link: string, type: string): TarMember {
  if (/[07\0]/.test(type)) return { name, kind: "file" };
  if (!/[12]/.test(type)) return { name, kind: "other" };
  // A hard link's target is a name as in any header, a symbolic one's begins where the link lies. Some mix that up.
  const targets = [link, posix.normalize(posix.join(posix.dirname(name), link))];
  return { name, kind: "link", targets: type === "1" ? targets : targets.reverse() };
}

/** As `tar -c .` writes it: with "./" in front. */
function bare(name: string): string {
  return name.replace(/^(\.\/)+/, "");
}

function nameAndLink(header: Uint8Array): { name: string; link: string } {
  const ustar = textAt(header, 257, 6) === "ustar";
  const prefix = ustar ? textAt(header, 345, 155) : "";
  const name = textAt(header, 0, 100);
  return { name: prefix === "" ? name : `${prefix}/${name}`, link: textAt(header, 157, 100) };
}

/** Takes what an extended header says of the entry behind it. */
function extend(next: Extended, type: string, data: Uint8Array, what: string): void {
  if (type === "L") next.name = textAt(data, 0, data.length);
  if (type === "K") next.link = textAt(data, 0, data.length);
  if (type !== "x") return;
  for (const [key, value] of paxRecords(data, what)) {
    if (key === "path") next.name = value;
    if (key === "linkpath") next.link = value;
    if (key === "size") {
      if (!/^[0-9]{1,15}$/.test(value))
        throw new RtError("data-loss", `${what} has a PAX size of ${shown(value)}`);
      next.size = Number(value);
    }
  }
}

/** "<length> <key>=<value>\n", the length in decimal and of the whole record. */
function* paxRecords(data: Uint8Array, what: string): Generator<[string, string]> {
  for (let at = 0; at < data.length && data[at] !== 0; ) {
    const space = data.indexOf(0x20, at);
    const digits = space < 0 || space - at > 7 ? "" : decoder.decode(data.subarray(at, space));
    const end = at + Number(digits);
    if (!/^[0-9]+$/.test(digits) || end > data.length || end <= space + 1 || data[end - 1] !== 0x0a) {
      throw new RtError("data-loss", `${what} has a malformed PAX header`);
    }
    const record = decoder.decode(data.subarray(space + 1, end - 1));
    const equals = record.indexOf("=");
    if (equals > 0) yield [record.slice(0, equals), record.slice(equals + 1)];
    at = end;
  }
}

function checkSum(header: Uint8Array, what: string): void {
  let sum = 0;
  for (let i = 0; i < tarBlock; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!;
  if (sum !== numberAt(header, 148, 8, what))
    throw new RtError("data-loss", `${what} is not a tar archive, or damaged`);
}

/** Octal digits, or base 256 if the first bit is set (GNU, for 8 GiB and more). */
function numberAt(header: Uint8Array, start: number, length: number, what: string): number {
  const field = header.subarray(start, start + length);
  if (field[0]! & 0x80) {
    let value = field[0]! & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    if (Number.isSafeInteger(value)) return value;
  } else {
    const text = textAt(header, start, length).trim();
    if (/^[0-7]*$/.test(text)) return Number.parseInt(text || "0", 8);
  }
  throw new RtError("data-loss", `${what} is not a tar archive, or damaged`);
}

function textAt(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return decoder.decode(end < 0 ? field : field.subarray(0, end));
}
