import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pullFrom } from "../../../../src/engine/image/pull.ts";
import { storedImage } from "../../../../src/engine/image/stored.ts";
import { digestOf } from "../../../../src/oci/digest.ts";
import { scratchDirectory } from "../../../support/scratch.ts";
import { FakeSource, fakeHost, layerBytes } from "../fakes.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(scratchDirectory(), "rt-remake-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const layers = [layerBytes("below"), layerBytes("above")];

async function pulled() {
  const host = fakeHost(directory);
  await pullFrom(host, new FakeSource({ reference: "docker.io/library/x:latest", layers }));
  const content = await host.content();
  const { source } = await storedImage(host, "x");
  const { manifest } = await source.resolve({ os: "linux", architecture: "amd64" });
  const read = async (index: number, offset = 0) => {
    const parts: Uint8Array[] = [];
    for await (const piece of source.fetch(manifest.layers[index]!, offset)) parts.push(piece);
    return Buffer.concat(parts);
  };
  return { host, content, read };
}

test("a layer that has gone is made again of what is unpacked, and is here from then on", async () => {
  const { content, read } = await pulled();
  const digest = digestOf(layers[1]!);
  content.remove(digest);
  expect((await read(1, 7)).equals(layers[1]!.subarray(7))).toBe(true);
  expect(await content.intact(digest)).toBe(true);
});

test("what is unpacked and gives other bytes is not taken for it, and nothing is left", async () => {
  const { host, content, read } = await pulled();
  const digest = digestOf(layers[0]!);
  content.remove(digest);
  writeFileSync(join(host.driver.path(digest), "layer"), "something else");
  await expect(read(0)).rejects.toThrow(
    /is no longer here, and another tool has packed it .*pull the image again/,
  );
  expect(content.has(digest)).toBe(false);
  expect(readdirSync(join(directory, "root/content/ingest"))).toEqual([]);
  rmSync(host.driver.path(digest), { recursive: true });
  await expect(read(0)).rejects.toThrow("is no longer here, packed or unpacked: pull the image again");
});
