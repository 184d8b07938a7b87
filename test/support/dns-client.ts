/**
 * Asks name servers, in whatever network namespace it is executed: a line in is a message to be sent, a line out is what came.
 *
 *   {"server": "127.0.0.11", "tcp": false, "messages": ["1234…"], "wait_ms": 5000}
 *   ["1234…", null]                                                  in the order of the messages; null: nothing came
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { createInterface } from "node:readline";

interface Order {
  server: string;
  tcp: boolean;
  messages: string[];
  wait_ms: number;
}

async function byDatagram({ server, wait_ms }: Order, message: Buffer): Promise<string | null> {
  const socket = createSocket("udp4");
  try {
    return await new Promise<string | null>((resolve) => {
      socket.on("message", (bytes) => resolve(bytes.toString("hex")));
      socket.on("error", () => resolve(null));
      socket.send(message, 53, server);
      setTimeout(() => resolve(null), wait_ms);
    });
  } finally {
    socket.close();
  }
}

/** All over one connection, one after the other's answer unless they are sent at once. */
async function byStream({ server, messages, wait_ms }: Order): Promise<(string | null)[]> {
  const socket = connect(53, server);
  const frames = messages.map((hex) => {
    const bytes = Buffer.from(hex, "hex");
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
  });
  const answers: string[] = [];
  let held = Buffer.alloc(0);
  await new Promise<void>((resolve) => {
    socket.on("connect", () => socket.write(Buffer.concat(frames)));
    socket.on("data", (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        answers.push(held.toString("hex", 2, 2 + held.readUInt16BE(0)));
        held = held.subarray(2 + held.readUInt16BE(0));
      }
      if (answers.length >= messages.length) resolve();
    });
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
    setTimeout(resolve, wait_ms);
  });
  socket.destroy();
  return messages.map((_, index) => answers[index] ?? null);
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  const answers = order.tcp
    ? await byStream(order)
    : await Promise.all(order.messages.map((hex) => byDatagram(order, Buffer.from(hex, "hex"))));
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}
