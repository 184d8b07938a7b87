import type { FileHandle } from "node:fs/promises";
import { posix } from "node:path";
import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";

/** Where an entry's bytes lie in the archive; or, for a link, where they may lie. */
export interface TarEntry {
  offset: number;
  size: number;
  /** Names of a link's target, the likelier one first. */
  targets?: readonly string[];
}

const block = 512;
const entriesMax = 100_000;
const extensionBytesMax = 1024 * 1024;
const decoder = new TextDecoder();

/**
 * The entries of a tar by name: ustar, PAX (path, linkpath, size) and GNU long names. Headers only are read, and names
 * serve as keys of the map and never as paths, so that "../../etc/passwd" is a strange key and nothing else.
 * The first of two entries of one name is shadowed by the second, as tar would have it.
 *
 * @throws data-loss: not a tar, cut short, or a header that does not add up; exhausted: beyond the bounds above
 */
export async function indexTar(file: FileHandle, what: string): Promise<ReadonlyMap<string, TarEntry>> {
  const end = (await file.stat()).size;
  const entries = new Map<string, TarEntry>();
  const next: { name?: string; link?: string; size?: number } = {};
  let empty = true;
  for (let at = 0; at + block <= end; ) {
    const header = await readAt(file, at, block, what);
    at += block;
    if (header.every((byte) => byte === 0)) {
      if (empty && at === block) throw new RtError("data-loss", `${what} is an empty tar`);
      break;
    }
    checkSum(header, what);
    empty = false;
    const type = String.fromCharCode(header[156]!);
    const extension = type === "x" || type === "g" || type === "L" || type === "K";
    const size = (extension ? undefined : next.size) ?? numberAt(header, 124, 12, what);
    const stored = /[1-6]/.test(type) ? 0 : size;
    if (stored > end - at) throw new RtError("data-loss", `${what} is cut short`);
    if (extension) {
      if (size > extensionBytesMax)
        throw new RtError("exhausted", `${what} has a name of ${size} bytes: refused`);
      extend(next, type, await readAt(file, at, size, what), what);
    } else {
      add(entries, { ...nameAndLink(header), ...next }, type, { offset: at, size: stored }, what);
      delete next.name;
      delete next.link;
      delete next.size;
    }
    at += Math.ceil(stored / block) * block;
  }
  if (empty) throw new RtError("data-loss", `${what} is not a tar archive`);
  return entries;
}

function add(
  entries: Map<string, TarEntry>,
  header: { name: string; link: string },
  type: string,
  place: TarEntry,
  what: string,
): void {
  if (entries.size >= entriesMax)
    throw new RtError("exhausted", `${what} has more than ${entriesMax} entries: refused`);
  const name = bare(header.name);
  if (type === "0" || type === "\0" || type === "7") entries.set(name, place);
  else if (type === "1" || type === "2") {
    // A hard link's target is a name as in any header, a symbolic one's begins where the link lies. Some mix that up.
    const targets = [bare(header.link), posix.normalize(posix.join(posix.dirname(name), header.link))];
    entries.set(name, { ...place, targets: type === "1" ? targets : targets.reverse() });
  }
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
function extend(
  next: { name?: string; link?: string; size?: number },
  type: string,
  data: Uint8Array,
  what: string,
): void {
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
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!;
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

async function readAt(file: FileHandle, offset: number, length: number, what: string): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, offset);
  if (bytesRead !== length) throw new RtError("data-loss", `${what} is cut short`);
  return buffer;
}
