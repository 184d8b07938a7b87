/**
 * Our inflate against zlib: thousands of damaged and honest streams, cut into odd pieces. Whatever zlib says (good with
 * these bytes, or bad) we say too, and the process, built with every safety check, never dies of it.
 */
import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { seeded } from "./mutate.ts";
import { fuzzProgram } from "./program.ts";

const outputMax = 1 << 20;
let program = "";

beforeAll(async () => {
  program = await fuzzProgram("rt-fuzz");
}, 600_000);

interface Case {
  stream: Uint8Array;
  /** Bytes that the decoder gets, and writes, at a time. */
  pieces: [number, number];
}

interface Verdict {
  good: boolean;
  bytes: number;
  crc: number;
}

/** All cases through one process; one verdict each, or it died. */
async function ours(cases: readonly Case[]): Promise<Verdict[]> {
  const directory = mkdtempSync(join(tmpdir(), "rt-inflate-"));
  try {
    const frames = cases.flatMap(({ stream, pieces: [read, write] }) => {
      const header = Buffer.alloc(8);
      header.writeUInt32LE(stream.length, 0);
      header.writeUInt16LE(read, 4);
      header.writeUInt16LE(write, 6);
      return [header, stream];
    });
    const file = join(directory, "cases");
    await Bun.write(file, Buffer.concat(frames));
    const child = Bun.spawn([program], { stdin: Bun.file(file), stdout: "pipe", stderr: "pipe" });
    const [answers, errors] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
    await child.exited;
    const view = Buffer.from(answers);
    const died = view.length / 9;
    if (died < cases.length)
      throw new Error(`case ${died} of ${cases.length} killed it: ${errors.slice(0, 2000)}`);
    return cases.map((_, index) => ({
      good: view[9 * index] === 0,
      bytes: view.readUInt32LE(9 * index + 1),
      crc: view.readUInt32LE(9 * index + 5),
    }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function zlibs(stream: Uint8Array): Verdict | undefined {
  try {
    const output = inflateRawSync(stream, { maxOutputLength: outputMax });
    return { good: true, bytes: output.length, crc: crc32(output) };
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") return undefined;
    return { good: false, bytes: 0, crc: 0 };
  }
}

/** Data that makes all kinds of blocks: text, repetition at every distance, noise, runs. */
function sample(random: () => number): Buffer {
  const int = (below: number) => Math.floor(random() * below);
  const parts: Buffer[] = [];
  for (let n = 1 + int(12); n > 0; n--) {
    const length = int(3000);
    const all = Buffer.concat(parts);
    switch (int(5)) {
      case 0:
        parts.push(Buffer.alloc(length, int(256)));
        break;
      case 1:
        parts.push(Buffer.from(Array.from({ length }, () => int(256))));
        break;
      case 2:
        parts.push(Buffer.from(Array.from({ length }, () => 97 + Math.floor(random() ** 3 * 26))));
        break;
      case 3: {
        const from = int(all.length + 1);
        parts.push(all.subarray(from, from + length));
        break;
      }
      default:
        parts.push(Buffer.alloc(length, all.subarray(-1 - int(20)).toString("latin1") || "ab", "latin1"));
    }
  }
  return Buffer.concat(parts);
}

const strategies = [
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_FIXED,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
  constants.Z_FILTERED,
];

function compress(random: () => number): Buffer {
  const int = (below: number) => Math.floor(random() * below);
  const strategy = strategies[int(strategies.length)]!;
  return deflateRawSync(sample(random), {
    level: int(10),
    strategy,
    memLevel: 1 + int(9),
    windowBits: 9 + int(7),
  });
}

/** One to three edits of bits or bytes, most of them near the beginning, where block headers and code lengths are. */
function damage(stream: Buffer, random: () => number): Buffer {
  const int = (below: number) => Math.floor(random() * below);
  let result = Buffer.from(stream);
  for (let edits = 1 + int(3); edits > 0 && result.length > 0; edits--) {
    const at = int(2) === 0 ? int(Math.min(result.length, 80)) : int(result.length);
    switch (int(5)) {
      case 0:
      case 1:
        result[at]! ^= 1 << int(8);
        break;
      case 2:
        result[at] = int(256);
        break;
      case 3:
        result = result.subarray(0, at);
        break;
      default:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + int(4))]);
    }
  }
  return result;
}

function pieces(random: () => number): [number, number] {
  const pick = () => [1, 2, 7, 61, 1000, 65535][Math.floor(random() * 6)]!;
  return [pick(), pick()];
}

async function compare(cases: readonly Case[]): Promise<{ good: number; bad: number }> {
  const expected = cases.map(({ stream }) => zlibs(stream));
  const kept = cases.filter((_, index) => expected[index] !== undefined);
  const verdicts = await ours(kept);
  const wanted = expected.filter((verdict) => verdict !== undefined);
  let good = 0;
  for (const [index, verdict] of verdicts.entries()) {
    const want = wanted[index]!;
    const seen = want.good ? verdict : { good: verdict.good, bytes: 0, crc: 0 };
    if (!Bun.deepEquals(seen, want))
      throw new Error(
        `zlib ${JSON.stringify(want)}, ours ${JSON.stringify(seen)}: ${Buffer.from(kept[index]!.stream).toString("base64")} pieces ${kept[index]!.pieces}`,
      );
    if (want.good) good++;
  }
  return { good, bad: verdicts.length - good };
}

test("honest streams of every kind, in pieces of every size", async () => {
  const random = seeded(1);
  const cases = Array.from({ length: 1500 }, () => ({ stream: compress(random), pieces: pieces(random) }));
  expect(await compare(cases)).toEqual({ good: 1500, bad: 0 });
}, 60_000);

test("damaged streams: the same verdict as zlib's, and the same bytes", async () => {
  const random = seeded(Number(process.env.RT_FUZZ_SEED ?? 2));
  const rounds = Number(process.env.RT_FUZZ_ROUNDS ?? 1);
  for (let round = 0; round < rounds; round++) {
    const cases = Array.from({ length: 8000 }, () => ({
      stream: damage(compress(random), random),
      pieces: pieces(random),
    }));
    const { good, bad } = await compare(cases);
    expect(bad).toBeGreaterThan(1000);
    expect(good).toBeGreaterThan(20);
  }
}, 600_000);

test("noise and short prefixes", async () => {
  const random = seeded(3);
  const noise = Array.from({ length: 4000 }, () => {
    const length = Math.floor(random() ** 2 * 300);
    return {
      stream: Buffer.from(Array.from({ length }, () => Math.floor(random() * 256))),
      pieces: pieces(random),
    };
  });
  const whole = compress(random);
  const prefixes = Array.from({ length: Math.min(whole.length, 500) }, (_, length) => ({
    stream: whole.subarray(0, length),
    pieces: pieces(random),
  }));
  await compare([...noise, ...prefixes]);
}, 60_000);
