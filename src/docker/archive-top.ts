import { goMode, goModeOf } from "./path-stat.ts";

/** What the first entry of an archive says of itself. */
export interface ArchiveTop {
  size: number;
  /** Go's os.FileMode. */
  mode: number;
  /** RFC 3339. */
  mtime: string;
  /** Of a symbolic link: what it says. */
  link?: string;
}

const block = 512;
/** Of what an extended header says: names of 4 KiB, and attributes. */
const extensionBytesMax = 1 << 20;

const kinds: Readonly<Record<string, number>> = {
  "2": goMode.link,
  "3": goMode.device + goMode.characterDevice,
  "4": goMode.device,
  "5": goMode.directory,
  "6": goMode.pipe,
};

/** Reads the beginning of an archive as rt-layer writes it (zig-native/layer/tar_writer.zig): ustar, with an extended header at need. */
export class ArchiveTopReader {
  top: ArchiveTop | undefined;
  #bytes: Uint8Array = new Uint8Array();

  /** @returns whether all of it has come */
  take(bytes: Uint8Array): boolean {
    if (this.top) return true;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.top = topIn(Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length));
    return this.top !== undefined;
  }
}

function topIn(bytes: Buffer): ArchiveTop | undefined {
  if (bytes.length < block) return undefined;
  if (typeOf(bytes) !== "x") return topOf(bytes, new Map());
  const length = octal(bytes, 124, 12);
  if (length > extensionBytesMax) return topOf(bytes, new Map());
  const next = block + Math.ceil(length / block) * block;
  if (bytes.length < next + block) return undefined;
  return topOf(bytes.subarray(next), records(bytes.subarray(block, block + length)));
}

function topOf(header: Buffer, said: ReadonlyMap<string, string>): ArchiveTop {
  const type = typeOf(header);
  const [whole = "0", fraction = ""] = (said.get("mtime") ?? String(octal(header, 136, 12))).split(".");
  const link = said.get("linkpath") ?? textAt(header, 157, 100);
  // A link is as long as what it says, as lstat(2) has it.
  const size = type === "2" ? Buffer.byteLength(link) : Number(said.get("size") ?? octal(header, 124, 12));
  return {
    size,
    mode: goModeOf(octal(header, 100, 8) & 0o7777, kinds[type] ?? 0),
    mtime: timeText(Number(whole), fraction),
    ...(type === "2" && { link }),
  };
}

function timeText(seconds: number, fraction: string): string {
  const date = new Date(seconds * 1000);
  const text = Number.isNaN(date.getTime()) ? "1970-01-01T00:00:00" : date.toISOString().slice(0, 19);
  const digits = fraction.replace(/0+$/, "");
  return `${text}${digits && `.${digits}`}Z`;
}

/** "LENGTH KEY=VALUE\n", the length of all of it. */
function records(bytes: Buffer): Map<string, string> {
  const said = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, space));
    if (space < 0 || !(length > 0)) break;
    const record = bytes.toString("utf8", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    said.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return said;
}

function typeOf(header: Buffer): string {
  return String.fromCharCode(header[156]!);
}

function octal(header: Buffer, start: number, length: number): number {
  return Number.parseInt(textAt(header, start, length).trim() || "0", 8);
}

function textAt(header: Buffer, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}
