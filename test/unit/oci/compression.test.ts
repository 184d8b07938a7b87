import { expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { compressionOf } from "../../../src/oci/compression.ts";

test("compression is known by the first bytes", () => {
  const cases: [Uint8Array, string][] = [
    [gzipSync("x"), "gzip"],
    [zstdCompressSync("x"), "zstd"],
    [Buffer.from("502a4d18", "hex"), "zstd"],
    [Buffer.from("5f2a4d18", "hex"), "zstd"],
    [Buffer.from("602a4d18", "hex"), "tar"],
    [Buffer.from("BZh9"), "bzip2"],
    [Buffer.from("fd377a585a00", "hex"), "xz"],
    [Buffer.from("etc/passwd\0"), "tar"],
    [new Uint8Array(), "tar"],
    [Buffer.from([0x1f]), "tar"],
  ];
  for (const [head, expected] of cases)
    expect([head, compressionOf(head)]).toEqual([head, expected as "tar"]);
});
