/** What a registry may make us spend: layers without measure, documents without an end, and our memory meanwhile. */
import { expect } from "bun:test";
import { digestOf } from "../../src/oci/digest.ts";
import type { TestImage, Wire } from "../support/fake-registry.ts";
import { peakOf } from "../support/memory.ts";
import { needs } from "../support/root.ts";
import { member } from "../support/tar.ts";
import {
  fileLayer,
  imageOf,
  refusedPull,
  servedImage,
  snapshotsOf,
  storeIsEmpty,
  userConfig,
} from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true });

/** No process of a pull may ever be larger. */
const residentMax_KiB = 200 * 1024;

const gib = 1024 ** 3;
for (const kind of ["gzip", "zstd"] as const) {
  test(`a bomb of 10 GiB of zeros in ${kind} under a limit: one line, little memory, nothing left`, async () => {
    const image = bomb(
      kind === "gzip" ? (bytes) => Bun.gzipSync(bytes, { level: 1 }) : (bytes) => Bun.zstdCompressSync(bytes),
    );
    await using world = await servedImage(image);
    userConfig(world.host, 'max-layer-size = "1g"\n');
    await using pull = world.host.spawn(["pull", "-q", world.name]);
    const peak = await peakOf(pull);
    expect(await pull.exited).toBe(125);
    expect(oneLine(pull.stderr.text)).toMatch(/^layer sha256:[0-9a-f]{64}: .*1073741824 bytes/);
    expect(peak).toBeGreaterThan(1000);
    expect(peak).toBeLessThan(residentMax_KiB);
    expect(await world.host.ok(["images", "-aq"])).toBe("");
    expect(snapshotsOf(world.host)).toEqual([]);
  }, 120_000);
}

/** One file of 10 GiB in a layer of many members or frames, which both formats allow (RFC 1952, 2.2; RFC 8878, 3). */
function bomb(compress: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): TestImage {
  const header = member({ name: "zeros", size: 8 * gib - 1 }).slice(0, 512);
  const zeros = compress(new Uint8Array(64 << 20));
  const layer = Buffer.concat([compress(header), ...Array.from({ length: 160 }, () => zeros)]);
  // Nobody gets to its end, so its digest does not matter.
  return imageOf([layer], [digestOf("bomb")]);
}

test("an honest layer below the limit passes, one above it does not", async () => {
  const layer = fileLayer("file", 100_000);
  await using world = await servedImage(imageOf([layer]));
  userConfig(world.host, `max-layer-size = ${layer.length}\n`);
  await world.host.ok(["pull", "-q", world.name]);
  await world.host.ok(["rmi", world.name]);
  userConfig(world.host, `max-layer-size = ${layer.length - 1}\n`);
  await refusedPull(world.host, world.name, /bytes/);
});

const manifestType = { "Content-Type": "application/vnd.oci.image.manifest.v1+json" };
const documents: [string, (wire: Wire) => void, RegExp][] = [
  [
    "100,000 deep",
    (wire) => wire.reply(200, manifestType, `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    /deep/,
  ],
  ["without an end", flood, /is larger than 4194304 bytes$/],
  [
    "that says it has 9 GiB",
    (wire) => wire.head(200, { "Content-Length": String(9 * gib) }),
    /is larger than 4194304 bytes$/,
  ],
];
for (const [what, answer, line] of documents) {
  test(`a manifest ${what}: one line, little memory`, async () => {
    await using world = await servedImage(imageOf([fileLayer("x", 10)]));
    world.registry.always(/manifests/, (_, wire) => answer(wire));
    await using pull = world.host.spawn(["pull", "-q", world.name]);
    const peak = await peakOf(pull);
    expect(await pull.exited).toBe(125);
    expect(oneLine(pull.stderr.text)).toMatch(line);
    expect(peak).toBeLessThan(residentMax_KiB);
    expect(await storeIsEmpty(world.host)).toEqual([]);
  });
}

function flood(wire: Wire): void {
  wire.head(200, {});
  const chunk = Buffer.alloc(65_536, " ");
  const more = () => {
    while (!wire.socket.destroyed && wire.socket.write(chunk));
  };
  wire.socket.on("drain", more);
  more();
}
