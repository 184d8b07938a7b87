import { expect, test } from "bun:test";
import { crc32, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { RtError } from "../../../src/base/errors.ts";
import { compress, formChoice, formKey } from "../../../src/content/compress.ts";
import { compressionIn, decompress } from "../../../src/content/decompress.ts";
import type { LayerCompression } from "../../../src/oci/compression.ts";

/** Text that compresses, whose pieces look back at each other, of more than three gzip blocks. */
const tar = (() => {
  const words = Array.from({ length: 5000 }, (_, index) => Bun.hash(`${index}`).toString(36));
  const text: string[] = [];
  for (let index = 0, bytes = 0; bytes < 3_500_000; index++) {
    const word = words[(index * index) % words.length]!;
    text.push(word);
    bytes += word.length;
  }
  return Buffer.from(text.join(""));
})();

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

function made(bytes: Uint8Array, form: LayerCompression, level?: number, length = 70_001): Promise<Buffer> {
  return collect(compress(inPieces(bytes, length), formChoice(form, level)));
}

async function opened(blob: Uint8Array, sizeMax = 1 << 30, length = 10_007): Promise<Buffer> {
  return collect(await decompress(inPieces(blob, length), sizeMax));
}

test("what is made is read by others, and the same wherever pieces end", async () => {
  for (const bytes of [tar, tar.subarray(0, 1 << 20), tar.subarray(0, 1), Buffer.alloc(0)]) {
    const gzip = await made(bytes, "gzip");
    expect(gunzipSync(gzip).equals(bytes)).toBe(true);
    expect(await made(bytes, "gzip", undefined, 1 << 19)).toEqual(gzip);
    const zstd = await made(bytes, "zstd");
    if (bytes.length > 0) expect(zstdDecompressSync(zstd).equals(bytes)).toBe(true);
    expect(await made(bytes, "zstd", undefined, 1 << 19)).toEqual(zstd);
    expect((await made(bytes, "tar")).equals(bytes)).toBe(true);
  }
});

test("blocks know what was before them: hardly larger than in one piece", async () => {
  const [parallel, whole] = [(await made(tar, "gzip")).length, gzipSync(tar).length];
  expect(parallel / whole).toBeLessThan(1.01);
});

test("a gzip member ends with the length and the checksum of all", async () => {
  const gzip = await made(tar, "gzip");
  expect(gzip.readUInt32LE(gzip.length - 4)).toBe(tar.length);
  expect(gzip.readUInt32LE(gzip.length - 8)).toBe(crc32(tar));
});

test("levels: other bytes, other sizes, and only those that there are", async () => {
  const [fast, best] = [await made(tar, "gzip", 1), await made(tar, "gzip", 9)];
  expect(best.length).toBeLessThan(fast.length);
  expect(formKey(formChoice("gzip"))).toBe(formKey(formChoice("gzip", 6)));
  expect(formKey(formChoice("gzip"))).not.toBe(formKey(formChoice("gzip", 5)));
  for (const [form, level] of [
    ...([0, 10, 1.5, -1, Number.NaN].map((level) => ["gzip", level]) as [LayerCompression, number][]),
    ...([0, 21] as const).map((level) => ["zstd", level] as const),
    ["tar", 1] as const,
  ])
    expect(() => formChoice(form, level)).toThrow(RtError);
});

test("every form is opened, in pieces of any length", async () => {
  const [gzip, zstd] = [gzipSync(tar), zstdCompressSync(tar)];
  const skippable = Buffer.from("502a4d1803000000616263", "hex");
  const blobs = [
    tar,
    gzip,
    Buffer.concat([gzipSync(tar.subarray(0, 999)), gzipSync(tar.subarray(999))]),
    Buffer.concat([skippable, zstd, skippable]),
    Buffer.concat([zstdCompressSync(tar.subarray(0, 999)), zstdCompressSync(tar.subarray(999))]),
  ];
  for (const blob of blobs)
    for (const length of [3, 4096, 1 << 20])
      if (length > 3 || blob !== tar) expect((await opened(blob, 1 << 30, length)).equals(tar)).toBe(true);
});

test("what is damaged, or has something behind it, or is a bomb, ends in one line", async () => {
  const [gzip, zstd] = [gzipSync(tar), zstdCompressSync(tar, { params: { 201: 1 } })];
  const flipped = (blob: Buffer, at: number) =>
    Buffer.from(blob.map((byte, i) => (i === at ? byte ^ 255 : byte)));
  const huge = Buffer.from("28b52ffd00a00000010000", "hex"); // a window of 1 GiB
  const cases: [Uint8Array, RegExp, string][] = [
    [gzip.subarray(0, gzip.length - 20), /gzip stream is damaged/, "data-loss"],
    [flipped(gzip, gzip.length - 6), /gzip stream is damaged/, "data-loss"],
    [flipped(gzip, 2), /gzip stream is damaged/, "data-loss"],
    [Buffer.concat([gzip, Buffer.alloc(600)]), /not gzip follows/, "data-loss"],
    [Buffer.concat([gzip, Buffer.from("tail")]), /gzip/, "data-loss"],
    [Buffer.concat([zstd, Buffer.from("tail")]), /zstd/, "data-loss"],
    [flipped(zstd, zstd.length >> 1), /zstd stream is damaged/, "data-loss"],
    [huge, /window/, "exhausted"],
    [Buffer.from("fd377a585a0000", "hex"), /xz are not supported/, "unsupported"],
    [Buffer.from("425a6839", "hex"), /bzip2 are not supported/, "unsupported"],
  ];
  for (const [blob, what, code] of cases)
    for (const length of [1000, 1 << 20]) {
      const error = await opened(blob, 1 << 30, length).then(
        () => undefined,
        (caught) => caught,
      );
      expect([error?.message, error?.code]).toEqual([expect.stringMatching(what), code]);
      expect(error.message).not.toContain("\n");
    }
  for (const blob of [gzip, zstd, tar])
    await expect(opened(blob, 1 << 20)).rejects.toThrow("larger than 1048576 bytes");
});

test("what reading the blob throws comes through, and leaving early ends it", async () => {
  async function* failing() {
    yield gzipSync(tar).subarray(0, 100_000);
    throw new RtError("unavailable", "gone");
  }
  await expect(collect(await decompress(failing(), 1 << 30))).rejects.toThrow("gone");
  let ended = false;
  async function* watched() {
    try {
      yield* inPieces(gzipSync(tar), 1000);
    } finally {
      ended = true;
    }
  }
  for await (const _ of await decompress(watched(), 1 << 30)) break;
  expect(ended).toBe(true);
  ended = false;
  expect(await compressionIn(watched())).toBe("gzip");
  expect(ended).toBe(true);
});
