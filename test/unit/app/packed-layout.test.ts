import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packedHead, packLayout, unpackLayout } from "../../../src/app/layout-format.ts";
import { PackedLayout } from "../../../src/app/packed-layout.ts";
import { RtError } from "../../../src/base/errors.ts";
import { digestOf, hexOf } from "../../../src/oci/digest.ts";
import { noise } from "../source/pull.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-packed-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

const blob = noise(3_000_000);
const blobName = `blobs/sha256/${hexOf(digestOf(blob))}`;
const index = Buffer.from('{"schemaVersion":2}');
const files = new Map<string, Uint8Array>([
  ["oci-layout", Buffer.from("{}")],
  ["index.json", index],
  [blobName, blob],
]);

let count = 0;
/** `bytes` somewhere in a file, with other bytes around. */
function within(
  bytes: Uint8Array,
  before = 8192,
): { path: string; part: { offset: number; length: number } } {
  const path = join(dir, `file${count++}`);
  writeFileSync(path, Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(24, 9)]));
  return { path, part: { offset: before, length: bytes.length } };
}

function opened(bytes: Uint8Array): PackedLayout {
  const { path, part } = within(bytes);
  return new PackedLayout(path, part, "it");
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    expect(error.message).not.toContain("\n");
    return `${error.code}: ${error.message}`;
  }
  throw new Error("it was accepted");
}

async function bytesOf(layout: PackedLayout, name: string, offset = 0): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(layout.stream(name, offset)));
}

test("in memory and in a file: the same files", async () => {
  const packed = packLayout(files);
  expect([...unpackLayout(packed)].map(([name, bytes]) => [name, digestOf(bytes)])).toEqual(
    [...files].map(([name, bytes]) => [name, digestOf(bytes)]),
  );
  const layout = opened(packed);
  for (const [name, bytes] of files) {
    expect(await layout.sizeOf(name)).toBe(bytes.length);
    expect(digestOf(await bytesOf(layout, name))).toBe(digestOf(bytes));
  }
  expect(digestOf(await bytesOf(layout, blobName, 1_234_567))).toBe(digestOf(blob.subarray(1_234_567)));
  expect(Buffer.from(layout.document("index.json"))).toEqual(index);
});

test("a table larger than the first read", async () => {
  const many = new Map<string, Uint8Array>();
  for (let i = 0; i < 500; i++) many.set(`blobs/sha256/${hexOf(digestOf(`${i}`))}`, Buffer.from(`${i}`));
  many.set("index.json", index);
  const layout = opened(packLayout(many));
  expect(Buffer.from(layout.document("index.json"))).toEqual(index);
  expect(String(await bytesOf(layout, `blobs/sha256/${hexOf(digestOf("499"))}`))).toBe("499");
});

test("a file that is not there", async () => {
  const layout = opened(packLayout(files));
  expect(refusal(() => layout.document("nosuch"))).toBe("data-loss: it: nosuch does not exist");
  await expect(layout.sizeOf("/etc/passwd")).rejects.toThrow("does not exist");
});

test("a document that is not what the table says", () => {
  const sha256 = hexOf(digestOf("other"));
  const head = packedHead([{ name: "index.json", size: index.length, sha256 }]);
  const layout = opened(Buffer.concat([head, index]));
  expect(refusal(() => layout.document("index.json"))).toStartWith(
    "data-loss: it: index.json has another digest",
  );
});

test("a document of more than 4 MiB is not read", () => {
  const size = 5 << 20;
  const layout = opened(Buffer.concat([packedHead([{ name: "index.json", size }]), Buffer.alloc(size)]));
  expect(refusal(() => layout.document("index.json"))).toStartWith("exhausted: ");
});

describe("tables that lie", () => {
  const table = (text: string, rest = 0) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return Buffer.concat([length, Buffer.from(text), Buffer.alloc(rest)]);
  };
  const rows: [string, Uint8Array][] = [
    ["nothing at all", Buffer.alloc(0)],
    ["three bytes", Buffer.alloc(3)],
    ["a length of 0", Buffer.alloc(100)],
    ["a length beyond the end", Buffer.from([0xff, 0xff, 0, 0, 0x5b, 0x5d])],
    ["a length of 4 GiB", Buffer.alloc(100, 0xff)],
    ["no JSON", table("nonsense")],
    ["an object", table("{}")],
    ["rows that are none", table('["index.json"]')],
    ["a negative size", table('[["index.json",-1]]')],
    ["a fraction", table('[["index.json",1.5]]', 1)],
    ["more bytes than there are", table('[["index.json",9]]', 8)],
    ["fewer bytes than there are", table('[["index.json",7]]', 8)],
    ["a size beyond every file", table('[["index.json",9007199254740991]]')],
    ["a file twice", table('[["index.json",1],["index.json",1]]', 2)],
    ["a path that leads out", table('[["../../etc/passwd",1]]', 1)],
    ["a blob that is none", table('[["blobs/sha256/xyz",1]]', 1)],
    ["a digest that is no text", table('[["index.json",1,5]]', 1)],
    ["a hundred thousand brackets", table("[".repeat(100_000))],
  ];
  for (const [what, bytes] of rows) {
    test(what, () => {
      expect(refusal(() => opened(bytes))).toMatch(/^(data-loss|exhausted): it/);
    });
  }
});

test("a file that has become shorter meanwhile", async () => {
  const { path, part } = within(packLayout(files));
  const layout = new PackedLayout(path, part, "it");
  writeFileSync(path, Buffer.alloc(9000));
  await expect(bytesOf(layout, blobName)).rejects.toThrow("bytes too early");
});
