/**
 * A name server of one zone on port 53 of a loopback address that is its own, for /etc/resolv.conf of a test's tree.
 *
 *   await using names = await startNames({ "registry.test": "127.0.0.1" });
 *   names.address, names.asked
 */
import { createSocket, type Socket } from "node:dgram";

export interface Names extends AsyncDisposable {
  readonly address: string;
  /** Every name that was asked for, lower case. */
  readonly asked: readonly string[];
}

export async function startNames(zone: Readonly<Record<string, string>>): Promise<Names> {
  const asked: string[] = [];
  const { socket, address } = await bind();
  socket.on("message", (query, from) => {
    const name = nameIn(query);
    asked.push(name);
    socket.send(answer(query, zone[name]), from.port, from.address);
  });
  return {
    address,
    asked,
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** Port 53 cannot be any free one; its address can. */
async function bind(): Promise<{ socket: Socket; address: string }> {
  for (let attempt = 0; ; attempt++) {
    const [a, b, c] = crypto.getRandomValues(new Uint8Array(3));
    const address = `127.${(a! % 200) + 20}.${b}.${(c! % 200) + 20}`;
    const socket = createSocket("udp4");
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.bind(53, address, resolve);
      });
      return { socket, address };
    } catch (error) {
      socket.close();
      if (attempt === 9 || (error as { code?: string }).code !== "EADDRINUSE") throw error;
    }
  }
}

const headerLength = 12;

function nameIn(query: Buffer): string {
  const labels: string[] = [];
  for (let at = headerLength; query[at] !== 0 && query[at] !== undefined; at += query[at]! + 1) {
    labels.push(query.toString("latin1", at + 1, at + 1 + query[at]!));
  }
  return labels.join(".").toLowerCase();
}

/** RFC 1035: the question again, and one A record; no such name (3) when the zone has none; nothing for other types. */
function answer(query: Buffer, ip: string | undefined): Buffer {
  const questionEnd = query.indexOf(0, headerLength) + 5;
  const isA = query.readUInt16BE(questionEnd - 4) === 1;
  const answers = ip !== undefined && isA ? 1 : 0;
  const header = Buffer.from(query.subarray(0, headerLength));
  header.writeUInt16BE(ip === undefined ? 0x8583 : 0x8580, 2);
  for (const [index, count] of [1, answers, 0, 0].entries()) header.writeUInt16BE(count, 4 + 2 * index);
  const question = query.subarray(headerLength, questionEnd);
  if (answers === 0) return Buffer.concat([header, question]);
  const record = Buffer.from([
    0xc0,
    headerLength,
    0,
    1,
    0,
    1,
    0,
    0,
    0,
    1,
    0,
    4,
    ...ip!.split(".").map(Number),
  ]);
  return Buffer.concat([header, question, record]);
}
