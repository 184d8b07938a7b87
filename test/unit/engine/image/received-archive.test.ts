/** What a load that fails gives back: of the store, and of whoever reads for it. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { decompress } from "../../../../src/content/decompress.ts";
import { receiveArchive } from "../../../../src/engine/image/received-archive.ts";
import { digestOf, hexOf } from "../../../../src/oci/digest.ts";
import { archive } from "../../../support/tar.ts";
import { until } from "../../../support/wait.ts";
import { scratch } from "../../store/samples.ts";
import { fakeHost, layerBytes } from "../fakes.ts";

const layer = layerBytes("layer", 3 << 20);
const tar = archive(
  { name: "whole", content: layer },
  { name: `blobs/sha256/${hexOf(digestOf("another"))}`, content: layer },
  { name: "never read", content: new Uint8Array(8 << 20) },
);

/** In pieces; `ended` when nobody wants more of them. */
function pieces(bytes: Uint8Array) {
  const state = { ended: false };
  const chunks = (async function* () {
    try {
      for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
    } finally {
      state.ended = true;
    }
  })();
  return { state, chunks };
}

test.each([
  ["refused", tar, "another digest"],
  ["cut short", tar.subarray(0, 5 << 20), "is cut short"],
])("%s: nothing of it stays in the store, and what reads it ends", async (_, bytes, why) => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const { state, chunks } = pieces(bytes);
  await expect(receiveArchive(host, "the input", chunks)).rejects.toThrow(why);
  await until("nobody reads any more", () => state.ended);
  expect((await host.content()).list()).toEqual([]);
  expect(readdirSync(join(host.paths.root, "content/ingest"))).toEqual([]);
});

test("the memory of what decompresses it is given back, too", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const { state, chunks } = pieces(gzipSync(tar, { level: 0 }));
  const received = decompress(chunks, Number.POSITIVE_INFINITY).then((inner) =>
    receiveArchive(host, "the input", inner),
  );
  await expect(received).rejects.toThrow("another digest");
  await until("nobody reads any more", () => state.ended);
});

test("who waits for more from someone that sends nothing keeps nobody waiting for the refusal", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const quiet = { ...iteratorOf(tar), return: () => new Promise<never>(() => {}) };
  const received = receiveArchive(host, "the input", { [Symbol.asyncIterator]: () => quiet });
  await expect(received).rejects.toThrow("another digest");
});

function iteratorOf(bytes: Uint8Array) {
  const { chunks } = pieces(bytes);
  return { next: () => chunks.next() };
}
