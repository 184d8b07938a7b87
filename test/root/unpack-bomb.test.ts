/** Decompression bombs: a size limit stops them early, in little memory, and nothing stays. */
import { afterAll, expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { driverNames } from "../contract/bench.ts";
import { run } from "../support/command.ts";
import { requireRoot } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { member, paxRecords } from "../support/tar.ts";

const gated = requireRoot();
const MiB = 2 ** 20;
const GiB = 2 ** 30;
let dir: string | undefined;

afterAll(() => {
  if (dir) rmSync(dir, { recursive: true, force: true });
});

/** 10 GiB of zeros as one file: a member (or frame) for each 64 MiB. */
const zeros = (pack: (bytes: Uint8Array) => Uint8Array) => {
  const unit = pack(new Uint8Array(64 * MiB));
  const head = pack(
    Buffer.concat([paxRecords({ size: String(10 * GiB) }), member({ name: "zeros", type: "0" })]),
  );
  return Buffer.concat([head, ...Array.from({ length: (10 * GiB) / (64 * MiB) }, () => unit)]);
};

/** As many empty files as fit, each a header that compresses to nothing. */
const names = (pack: (bytes: Uint8Array) => Uint8Array) => {
  const headers = Buffer.concat(Array.from({ length: 2000 }, (_, index) => member({ name: `d/${index}` })));
  const unit = pack(headers);
  return Buffer.concat(Array.from({ length: Math.ceil((64 * MiB) / headers.length) }, () => unit));
};

const bombs: [string, number, () => Uint8Array][] = [
  ["10 GiB of zeros in gzip", 256 * MiB, () => zeros((bytes) => gzipSync(bytes))],
  ["10 GiB of zeros in zstd", 256 * MiB, () => zeros((bytes) => zstdCompressSync(bytes))],
  ["the same names again and again", 32 * MiB, () => names((bytes) => gzipSync(bytes))],
];

for (const [what, limit, make] of bombs) {
  gated.test(`${what} end at the limit, in less than 200 MB`, async () => {
    dir ??= mkdtempSync(join(scratchDirectory(), "rt-bomb-"));
    const blob = join(dir, "blob");
    writeFileSync(blob, make());
    for (const driver of driverNames) {
      const script = join(import.meta.dir, "unpack-bomb.ts");
      const result = JSON.parse(await run([process.execPath, script, driver, blob, String(limit)]));
      expect([result.code, result.message]).toEqual([
        "exhausted",
        expect.stringContaining(`limit of ${limit} bytes`),
      ]);
      expect(result.left).toEqual([]);
      expect(result.engineBytes).toBeLessThan(200e6);
      expect(result.helperBytes).toBeGreaterThan(0);
      expect(result.helperBytes).toBeLessThan(50e6);
    }
  });
}
