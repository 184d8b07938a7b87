/** What zstd layers may ask of our memory: a window each, that a decoder keeps. */
import { expect } from "bun:test";
import { constants, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../src/oci/digest.ts";
import { peakOf } from "../support/memory.ts";
import { needs } from "../support/root.ts";
import { archive } from "../support/tar.ts";
import { imageOf, refusedPull, servedImage } from "./image-world.ts";

const { test } = needs({ root: true });
const MiB = 2 ** 20;

/** A layer of `bytes` that wants a window of 2^windowLog, and uses it. */
function longLayer(index: number, windowLog: number, bytes: number): { layer: Buffer; diffID: string } {
  const tar = Buffer.from(archive({ name: `f${index}`, content: new Uint8Array(bytes).fill(index) }));
  const params = {
    [constants.ZSTD_c_compressionLevel]: 1,
    [constants.ZSTD_c_enableLongDistanceMatching]: 1,
    [constants.ZSTD_c_windowLog]: windowLog,
    [constants.ZSTD_c_contentSizeFlag]: 0,
  };
  return { layer: zstdCompressSync(tar, { params }), diffID: digestOf(tar) };
}

// The copy driver has one layer at work at a time.
for (const [driver, count] of [
  ["overlay", 8],
  ["copy", 3],
] as const) {
  test(`${driver}: ${count} layers with windows of 128 MiB take the memory of one`, async () => {
    const layers = Array.from({ length: count }, (_, index) => longLayer(index, 27, 140 * MiB));
    await using world = await servedImage(
      imageOf(
        layers.map(({ layer }) => layer),
        layers.map(({ diffID }) => diffID),
      ),
    );
    await using pull = world.host.spawn(["--storage-driver", driver, "pull", "-q", world.name]);
    const peak_KiB = await peakOf(pull);
    expect([pull.stderr.text, await pull.exited]).toEqual(["", 0]);
    expect(peak_KiB).toBeGreaterThan(128 * 1024);
    expect(peak_KiB).toBeLessThan(200 * 1024);
  }, 120_000);
}

test("a layer that must see what is below takes no window from it while it waits", async () => {
  // A hard link into a lower layer: the second is applied again, merged, while the first, which is slow, is at work.
  const below = longLayer(1, 27, 140 * MiB);
  const tar = Buffer.from(archive({ name: "link", type: "1", link: "f1" }, { name: "more", content: "x" }));
  const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 };
  const above = zstdCompressSync(tar, { params });
  await using world = await servedImage(imageOf([below.layer, above], [below.diffID, digestOf(tar)]));
  await world.host.ok(["--storage-driver", "overlay", "pull", "-q", world.name], { timeoutMs: 60_000 });
}, 120_000);

test("a window beyond the limit is told as one", async () => {
  // An empty frame that wants 2 GiB, as `zstd --long=31` writes it for a long stream: RFC 8878, 3.1.1.1.2.
  const layer = Buffer.from("28b52ffd00a8010000", "hex");
  await using world = await servedImage(imageOf([layer], [digestOf(new Uint8Array())]));
  await refusedPull(world.host, world.name, /^[^\n]*wants a window of 2048 MiB, and the limit is 128 MiB/);
});
