/** Tar members that no honest archiver writes, byte by byte. POSIX 1003.1-2017, pax, "ustar Interchange Format". */

export interface Member {
  name: string;
  /** "0" file, "1" hard link, "2" symbolic link, "3" "4" devices, "5" directory, "6" fifo, "x" "g" pax records. */
  type?: string;
  link?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  content?: Uint8Array | string;
  device?: { major: number; minor: number };
  /** Written in place of the content's length: a lie. */
  size?: number;
}

const block = 512;
const encoder = new TextEncoder();

/** One member: header and padded content. */
export function member(m: Member): Uint8Array {
  const content = typeof m.content === "string" ? encoder.encode(m.content) : (m.content ?? new Uint8Array());
  const bytes = new Uint8Array(block + Math.ceil(content.length / block) * block);
  const put = (offset: number, text: string, max: number) =>
    bytes.set(encoder.encode(text).slice(0, max), offset);
  const octal = (offset: number, value: number, digits: number) =>
    put(offset, value.toString(8).padStart(digits, "0"), digits);
  put(0, m.name, 100);
  octal(100, m.mode ?? 0o644, 7);
  octal(108, m.uid ?? 0, 7);
  octal(116, m.gid ?? 0, 7);
  octal(124, m.size ?? content.length, 11);
  octal(136, m.mtime ?? 1735689600, 11);
  put(148, "        ", 8);
  put(156, m.type ?? "0", 1);
  put(157, m.link ?? "", 100);
  put(257, "ustar\u000000", 8);
  if (m.device) {
    octal(329, m.device.major, 7);
    octal(337, m.device.minor, 7);
  }
  const checksum = bytes.subarray(0, block).reduce((sum, byte) => sum + byte, 0);
  put(148, `${checksum.toString(8).padStart(6, "0")}\u0000 `, 8);
  bytes.set(content, block);
  return bytes;
}

/** A pax extended header for the member after it: "PATH=…" and so on, each with its own length in front. */
export function paxRecords(records: Record<string, string>): Uint8Array {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = encoder.encode(` ${key}=${value}\n`).length;
    let length = rest + 1;
    while (String(length).length + rest !== length) length = String(length).length + rest;
    return `${length} ${key}=${value}\n`;
  });
  return member({ name: "pax", type: "x", content: lines.join("") });
}

/** A whole archive with its end mark. */
export function archive(...members: readonly (Member | Uint8Array)[]): Uint8Array {
  const parts = members.map((each) => (each instanceof Uint8Array ? each : member(each)));
  return Buffer.concat([...parts, new Uint8Array(2 * block)]);
}

export function hardLinkMember(name: string, target: string): Uint8Array {
  return member({ name, type: "1", link: target });
}

/** The archive without the members that `unwanted` says yes to, asked with their headers as text, extended ones included. */
export function withoutMembers(tar: Uint8Array, unwanted: (headers: string) => boolean): Uint8Array {
  const latin1 = new TextDecoder("latin1");
  const kept: Uint8Array[] = [];
  let headers = "";
  let start = 0;
  for (let at = 0; at < tar.length; ) {
    const header = latin1.decode(tar.subarray(at, at + block));
    const size = Number.parseInt(header.slice(124, 136), 8) || 0;
    const end = at + block + Math.ceil(size / block) * block;
    const isExtended = "xgLK".includes(header[156]!);
    headers += latin1.decode(tar.subarray(at, isExtended ? end : at + block));
    at = end;
    if (isExtended) continue;
    if (!unwanted(headers)) kept.push(tar.subarray(start, end));
    [headers, start] = ["", end];
  }
  return Buffer.concat(kept);
}

/** The archive without its end mark and padding, so that members can follow. */
export function withoutEnd(tar: Uint8Array): Uint8Array {
  let end = tar.length;
  while (end >= block && tar.subarray(end - block, end).every((byte) => byte === 0)) end -= block;
  return tar.subarray(0, end);
}
