/**
 * A name server that does what the first label of a name says, at port 53 of an address, by UDP and TCP; a line for each question:
 *
 *   good      192.0.2.99, or a text where that is asked for        silent    nothing
 *   servfail, refused, nxdomain     just that                      wrongid   another id, and then nothing
 *   question  an answer to another question                        garbage   bytes
 *   loop      an answer whose name refers to itself                other     from another port
 *   large     2,000 bytes by UDP, whatever was asked for           cut       by TCP a part, and the end
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const address = process.argv[2]!;

function answer(query: Buffer, code: number, records: Buffer[] = []): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8180 | code, 2);
  for (const [index, count] of [1, records.length, 0, 0].entries())
    header.writeUInt16BE(count, 4 + 2 * index);
  return Buffer.concat([header, query.subarray(12, end), ...records]);
}

const record = (kind: number, data: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 0xff]),
    data,
  ]);
const good = record(1, Buffer.from([192, 0, 2, 99]));
const text = record(
  16,
  Buffer.concat(Array.from({ length: 40 }, () => Buffer.from(`\x63${"x".repeat(99)}`))),
);

function react(query: Buffer): Buffer[] {
  const label = query.toString("latin1", 13, 13 + query[12]!).toLowerCase();
  const whole = answer(query, 0, [good]);
  const end = query.indexOf(0, 12) + 5;
  const odd: Record<string, () => Buffer[]> = {
    silent: () => [],
    servfail: () => [answer(query, 2)],
    refused: () => [answer(query, 5)],
    nxdomain: () => [answer(query, 3)],
    wrongid: () => [Buffer.concat([Buffer.from([whole[0]! ^ 1]), whole.subarray(1)])],
    question: () => [Buffer.from(whole.map((byte, at) => (at === 13 ? byte ^ 1 : byte)))],
    garbage: () => [Buffer.from("not at all what was asked for"), Buffer.alloc(0), Buffer.alloc(3)],
    loop: () => [answer(query, 0, [Buffer.concat([Buffer.from([0xc0, end]), good.subarray(2)])])],
    large: () => [
      answer(
        query,
        0,
        Array.from({ length: 120 }, () => good),
      ),
    ],
    text: () => [answer(query, 0, [text])],
  };
  return odd[label]?.() ?? [whole];
}

const socket = createSocket("udp4");
const other = createSocket("udp4");
socket.on("message", (query, from) => {
  process.stdout.write(`udp ${from.address} ${from.port} ${query.readUInt16BE(0)}\n`);
  const speaker = query.toString("latin1", 13, 18) === "other" ? other : socket;
  for (const bytes of react(query)) speaker.send(bytes, from.port, from.address);
});
const server = createServer((client) => {
  let held = Buffer.alloc(0);
  client.on("error", () => client.destroy());
  client.on("data", (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
    const query = held.subarray(2, 2 + held.readUInt16BE(0));
    process.stdout.write(`tcp ${client.remoteAddress}\n`);
    const isCut = query.toString("latin1", 13, 16) === "cut";
    for (const each of react(query)) {
      client.write(
        Buffer.concat([
          Buffer.from([each.length >> 8, each.length & 0xff]),
          isCut ? each.subarray(0, 20) : each,
        ]),
      );
      if (isCut) client.end();
    }
  });
});
socket.bind(53, address, () => server.listen(53, address, () => process.stdout.write("serving\n")));
other.bind(0, address);
