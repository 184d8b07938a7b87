/** Messages of the domain name system, as far as the tests of names write and read them (RFC 1035). */

export const kinds = {
  A: 1,
  CNAME: 5,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  HTTPS: 65,
} as const;
export type DnsKind = keyof typeof kinds;

export interface QuestionOptions {
  id?: number;
  /** With EDNS: what is taken in a datagram. */
  edns?: number;
}

export function question(name: string, kind: DnsKind, { id = 0x1234, edns }: QuestionOptions = {}): Buffer {
  const header = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns === undefined ? 0 : 1]);
  const opt = edns === undefined ? [] : [0, 0, kinds.OPT, edns >> 8, edns & 0xff, 0, 0, 0, 0, 0, 0];
  return Buffer.concat([header, nameBytes(name), Buffer.from([0, kinds[kind], 0, 1, ...opt])]);
}

export function nameBytes(name: string): Buffer {
  const labels = name === "" ? [] : name.split(".");
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.of(0),
  ]);
}

export interface DnsAnswer {
  id: number;
  /** "NOERROR", "SERVFAIL", … */
  code: string;
  truncated: boolean;
  /** Of the answer section, in its order: an address, a name, or the data in hexadecimal digits. */
  answers: string[];
  ttls: number[];
}

const codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

export function readAnswer(message: Buffer): DnsAnswer {
  let at = 12;
  for (let left = message.readUInt16BE(4); left > 0; left--) at = nameAt(message, at).end + 4;
  const answers: string[] = [];
  const ttls: number[] = [];
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    const fixed = nameAt(message, at).end;
    const length = message.readUInt16BE(fixed + 8);
    answers.push(dataOf(message, message.readUInt16BE(fixed), fixed + 10, length));
    ttls.push(message.readUInt32BE(fixed + 4));
    at = fixed + 10 + length;
  }
  return {
    id: message.readUInt16BE(0),
    code: codes[message[3]! & 15] ?? String(message[3]! & 15),
    truncated: (message[2]! & 2) !== 0,
    answers,
    ttls,
  };
}

function dataOf(message: Buffer, kind: number, at: number, length: number): string {
  const data = message.subarray(at, at + length);
  if (kind === kinds.A) return data.join(".");
  if (kind === kinds.PTR || kind === kinds.CNAME) return nameAt(message, at).name;
  return data.toString("hex");
}

function nameAt(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let end: number | undefined;
  let at = start;
  while (message[at] !== 0) {
    const length = message[at]!;
    if (length >= 0xc0) {
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else {
      labels.push(message.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
  }
  return { name: labels.join("."), end: end ?? at + 1 };
}
