/** The form of the driver `local`, and how a log of it is read from its end and past what is damaged. */
import { expect, test } from "bun:test";
import { appendFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { LogEntry } from "../../../src/log/line.ts";
import { LocalParser } from "../../../src/log/local.ts";
import { LogReader } from "../../../src/log/reader.ts";
import { scratch } from "../store/samples.ts";

function entry(text: string, { flags = 0, nanoseconds = 1_000_000_002n } = {}): Buffer {
  const length = 9 + Buffer.byteLength(text);
  const bytes = Buffer.alloc(length + 8);
  bytes.writeUInt32LE(length, 0);
  bytes[4] = flags;
  bytes.writeBigUInt64LE(nanoseconds, 5);
  bytes.write(text, 13);
  bytes.writeUInt32LE(length, length + 4);
  return bytes;
}

const entries = (from: number, to: number) =>
  Buffer.concat(Array.from({ length: to - from }, (_, index) => entry(`line ${from + index}`)));

async function read(path: string, tail?: number): Promise<{ lines: string[]; damaged: boolean }> {
  let damaged = false;
  const lines: string[] = [];
  using reader = new LogReader(path, { form: "local", tail, onDamage: () => (damaged = true) });
  const sink = {
    take: ({ bytes }: LogEntry) => lines.push(Buffer.from(bytes).toString().trimEnd()) > 0,
    flush: () => true,
  };
  await reader.read(sink);
  await reader.finish(sink);
  return { lines, damaged };
}

const texts = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}`);

test("an entry: its stream, its bytes, its time", () => {
  const parser = new LocalParser();
  const bytes = Buffer.concat([
    entry("hi"),
    entry("par", { flags: 3, nanoseconds: 1_700_000_000_000_000_001n }),
  ]);
  const first = parser.find(bytes, 0, bytes.length);
  expect(parser.parse(bytes, 0, first)).toMatchObject({
    stream: "stdout",
    time: "1970-01-01T00:00:01.000000002Z",
  });
  expect(Buffer.from(parser.parse(bytes, 0, first)!.bytes).toString()).toBe("hi\n");
  const second = parser.parse(bytes, first, parser.find(bytes, first, bytes.length))!;
  expect([Buffer.from(second.bytes).toString(), second.stream, second.time]).toEqual([
    "par",
    "stderr",
    "2023-11-14T22:13:20.000000001Z",
  ]);
  expect(parser.find(bytes, 0, first - 1)).toBe(-1);
  expect(parser.parse(entry("x", { flags: 9 }), 0, 18)).toBeUndefined();
});

test("the last entries, over files of both kinds, and where there is damage between", async () => {
  using dir = scratch();
  const path = join(dir.path, "log");
  writeFileSync(path, entries(20_000, 30_000));
  writeFileSync(`${path}.1.gz`, gzipSync(entries(10_000, 20_000)));
  writeFileSync(`${path}.2`, entries(0, 10_000));
  for (const tail of [0, 1, 9_999, 10_000, 10_001, 20_000, 20_001, 30_000, 99_999])
    expect(await read(path, tail)).toEqual({
      lines: texts(Math.max(0, 30_000 - tail), 30_000),
      damaged: false,
    });
  expect((await read(path)).lines.length).toBe(30_000);
  writeFileSync(path, Buffer.concat([entries(20_000, 20_010), Buffer.alloc(99, 7), entries(20_010, 20_020)]));
  expect(await read(path, 5)).toEqual({ lines: texts(20_015, 20_020), damaged: false });
  const { lines, damaged } = await read(path, 15);
  expect([lines.slice(-14), damaged]).toEqual([texts(20_006, 20_020), true]);
});

test("what is damaged takes nothing whole with it", async () => {
  using dir = scratch();
  const path = join(dir.path, "log");
  const [a, b] = [entries(0, 3), entries(3, 6)];
  const whole = texts(0, 6);
  for (const [between, wanted] of [
    [Buffer.alloc(0), whole],
    [Buffer.alloc(300), whole],
    [Buffer.alloc(300, 0xff), whole],
    [entry("cut").subarray(0, 6), whole],
    [Buffer.from([16, 0, 0, 0, 0]), whole],
  ] as const) {
    writeFileSync(path, Buffer.concat([a, between, b]));
    expect(await read(path)).toEqual({ lines: wanted, damaged: between.length > 0 });
    writeFileSync(path, Buffer.concat([a, b, between]));
    expect(await read(path)).toEqual({ lines: wanted, damaged: between.length > 0 });
  }
});

test("followed while it is rotated and compressed: nothing is missed or repeated", async () => {
  using dir = scratch();
  const path = join(dir.path, "log");
  writeFileSync(path, entries(0, 10));
  const { ino } = await Bun.file(path).stat();
  const lines: string[] = [];
  using reader = new LogReader(path, { form: "local", onDamage: () => lines.push("damaged") });
  const sink = {
    take: ({ bytes }: LogEntry) => lines.push(Buffer.from(bytes).toString().trimEnd()) > 0,
    flush: () => true,
  };
  await reader.read(sink);
  appendFileSync(path, entries(10, 12));
  renameSync(path, `${path}.1`);
  // As the monitor's process writes it: a comment with the inode of what it was.
  const plain = gzipSync(entries(0, 12));
  const header = Buffer.concat([Buffer.from("1f8b0810000000000003", "hex"), Buffer.from(`inode ${ino}\0`)]);
  writeFileSync(`${path}.1.gz`, Buffer.concat([header, plain.subarray(10)]));
  unlinkSync(`${path}.1`);
  writeFileSync(path, entries(12, 15));
  await reader.follow(
    sink,
    () => true,
    () => () => {},
  );
  expect(lines).toEqual(texts(0, 15));
});
