/**
 * A name server whose answers are in a file, read at each question: {"name": ["192.0.2.7", …]}. UDP, and TCP with all that it has.
 *
 *   bun changing-dns-server.ts ADDRESS FILE [TTL]
 */
import { readFileSync } from "node:fs";
import { addressBytes, parseAddress } from "../../src/network/address.ts";

const [address = "", file = "", ttl = "1"] = process.argv.slice(2);
const [typeA, typeAaaa] = [1, 28];

function answerTo(query: Buffer): Buffer {
  let at = 12;
  const labels: string[] = [];
  while (query[at]! > 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + query[at]!));
    at += 1 + query[at]!;
  }
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(12, at + 5);
  const known = JSON.parse(readFileSync(file, "utf8")) as Record<string, string[]>;
  const name = labels.join(".").toLowerCase();
  const all = (known[name] ?? []).map((text) => parseAddress(text)!);
  const wanted = all.filter(({ family }) => type === (family === 4 ? typeA : typeAaaa));
  const records = wanted.map((each) => {
    const data = addressBytes(each);
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(Number(ttl), 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, Buffer.from(data)]);
  });
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(known[name] === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  process.stdout.write(`asked ${name}\n`);
  return Buffer.concat([header, question, ...records]);
}

const socket = await Bun.udpSocket({
  ...{ hostname: address, port: 53 },
  socket: {
    data(own, data, port, from) {
      own.send(answerTo(Buffer.from(data)), port, from);
    },
  },
});
Bun.listen({
  ...{ hostname: address, port: 53 },
  socket: {
    data(client, data) {
      const answer = answerTo(Buffer.from(data.subarray(2)));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      client.write(Buffer.concat([length, answer]));
    },
  },
});
process.stdout.write(`serving at ${socket.port}\n`);
