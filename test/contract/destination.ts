/**
 * What every destination keeps to: see src/destination/destination.ts. A kind is a line in destination.test.ts.
 */
import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../src/base/errors.ts";
import type { Destination, ReadBlob } from "../../src/destination/destination.ts";
import { sendImage } from "../../src/image/send.ts";
import type { Descriptor, RawBlob } from "../../src/oci/descriptor.ts";
import { type Digest, digestOf, hexOf } from "../../src/oci/digest.ts";
import { chosen, parseDocument } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { parse, type Reference } from "../../src/reference/reference.ts";
import { MapFiles } from "../../src/source/embedded.ts";
import { LayoutSource } from "../../src/source/layout.ts";
import type { Source } from "../../src/source/source.ts";
import { run } from "../support/command.ts";
import { json } from "../support/fake-registry.ts";
import { type Needs, needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive } from "../support/tar.ts";

export interface DestinationKind {
  name: string;
  needs?: Needs;
  /** What one command has sent stays beside what the next one sends; a file is written anew. */
  adds: boolean;
  /** It lies in the directory that `open` is given: a full disk is its business, and so is what it leaves there. */
  onDisk: boolean;
  /** The other side asks for what it wants of an image, which is announced whole: no blob is put for itself. */
  asks?: boolean;
  /** @param directory its own, and empty */
  open(directory: string): Promise<Place>;
}

/** One place of that kind. */
export interface Place extends AsyncDisposable {
  /** As a command opens it that sends images of this name; of other commands nothing is known. */
  destination(name: Reference): Promise<Destination>;
  /** What the name leads to there, as a Source of the same kind reads it. */
  source(name: Reference): Promise<Source>;
  /** Names of files that could be taken for something whole, where a stranger can see them; for those `onDisk`. */
  files?(): string[];
}

interface TestImage {
  root: RawBlob;
  source: Source;
  blobs: Map<Digest, Uint8Array>;
  layers: Descriptor[];
}

const name = parse("registry.example/team/web:1");
const ownArchitecture = process.arch === "x64" ? "amd64" : process.arch;
const other = parse("registry.example/team/web:2");
const quiet = { signal: new AbortController().signal, onProgress: () => {}, elsewhere: [] };

export function destinationContract(kind: DestinationKind): void {
  const gated = needs(kind.needs ?? {});
  const test = (what: string, body: (place: Place) => Promise<unknown>) =>
    gated.test(`${kind.name}: ${what}`, () => inPlace(kind, body));
  if (!kind.asks) wholeBlobs(test);
  images(kind, test);
  interrupted(kind, test);
  if (kind.onDisk) fullDisk(kind);
}

type Test = (what: string, body: (place: Place) => Promise<unknown>) => void;

async function inPlace(kind: DestinationKind, body: (place: Place) => Promise<unknown>): Promise<void> {
  const directory = mkdtempSync(join(scratchDirectory(), "rt-destination-"));
  try {
    await using place = await kind.open(directory);
    await body(place);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function wholeBlobs(test: Test): void {
  test("a blob is whole or it is not there: of what is wrong nothing stays, and it can be sent again", async (place) => {
    const image = imageOf([noise(300_000, 1)]);
    const [layer] = image.layers as [Descriptor];
    const right = image.blobs.get(layer.digest)!;
    const flipped = Buffer.from(right);
    flipped[200_000]! ^= 1;
    const wrong = {
      flipped,
      short: right.subarray(1),
      long: Buffer.concat([right, right]),
      none: Buffer.of(),
    };
    for (const [what, bytes] of Object.entries(wrong)) {
      await using destination = await place.destination(name);
      const error = await failure(destination.putBlob(layer, givenBy(bytes), quiet));
      expect([what, error.code]).toEqual([what, "data-loss"]);
      expect(error.message).toMatch(/^[^\n]+$/);
      await nothingThere(place, layer);
    }
    expect(await send(place, image, [name])).toBe(image.root.digest);
    await isRead(place, name, image);
  });

  test("a blob that is there does not travel again; two at once send it once or both, and it is right", async (place) => {
    const image = imageOf([noise(700_000, 2)]);
    const [layer] = image.layers as [Descriptor];
    await using destination = await place.destination(name);
    const both = await Promise.all([
      destination.putBlob(layer, image.source.fetch.bind(image.source), quiet),
      destination.putBlob(layer, image.source.fetch.bind(image.source), quiet),
    ]);
    expect(both.map(({ how }) => how)).toContain("sent");
    const again = await destination.putBlob(layer, notAsked, quiet);
    expect(again).toEqual({ how: "exists" });
    await sendTo(destination, image, [name]);
    await destination.commit();
    await isRead(place, name, image);
  });

  test("progress goes up to all of it", async (place) => {
    const image = imageOf([noise(3_000_000, 3)]);
    const [layer] = image.layers as [Descriptor];
    await using destination = await place.destination(name);
    const seen: number[] = [];
    const onProgress = (bytes: number) => void seen.push(bytes);
    await destination.putBlob(layer, image.source.fetch.bind(image.source), { ...quiet, onProgress });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(layer.size);
  });
}

function images(kind: DestinationKind, test: Test): void {
  test("an image, under its name, byte for byte", async (place) => {
    const image = imageOf([noise(100_000, 4), noise(5, 5), noise(512, 6)]);
    expect(await send(place, image, [name])).toBe(image.root.digest);
    await isRead(place, name, image);
  });

  test("an image without layers", async (place) => {
    const image = imageOf([]);
    await send(place, image, [name]);
    await isRead(place, name, image);
  });

  test("an image of several platforms: the index, and all that it names; who asks takes the one for his machine", async (place) => {
    const shared = noise(50_000, 7);
    const [amd64, arm64] = [
      imageOf([shared, noise(10, 8)], "amd64"),
      imageOf([shared, noise(20, 9)], "arm64"),
    ];
    const image = indexOf([
      [amd64, { os: "linux", architecture: "amd64" }],
      [arm64, { os: "linux", architecture: "arm64", variant: "v8" }],
      [imageOf([shared], "s390x"), { os: "linux", architecture: "s390x" }],
    ]);
    await send(place, image, [name]);
    if (kind.asks) return await isRead(place, name, ownArchitecture === "arm64" ? arm64 : amd64);
    await isRead(place, name, image);
    const source = await place.source(name);
    const arm = await source.resolve({ os: "linux", architecture: "arm64" });
    expect(arm.config.architecture).toBe("arm64");
    await source.close();
  });

  if (!kind.adds) return;
  test("what one command sends stays beside what another sends, and a name leads to the last", async (place) => {
    const [first, second] = [imageOf([noise(1000, 10)]), imageOf([noise(1000, 11)])];
    await send(place, first, [name]);
    await send(place, second, [other]);
    await isRead(place, name, first);
    await isRead(place, other, second);
    await send(place, second, [name]);
    await isRead(place, name, second);
    await isRead(place, other, second);
  });

  test("eight at once, of one layer: every name is there, and right", async (place) => {
    const shared = noise(400_000, 12);
    const all = Array.from({ length: 8 }, (_, index) => ({
      image: imageOf([shared, noise(900 + index, 13 + index)]),
      called: parse(`registry.example/team/web:n${index}`),
    }));
    await Promise.all(all.map(({ image, called }) => send(place, image, [called])));
    for (const { image, called } of all) await isRead(place, called, image);
  });
}

function interrupted(kind: DestinationKind, test: Test): void {
  test("a source that breaks off: its error, nothing that looks whole, and the next one succeeds", async (place) => {
    const image = imageOf([noise(2_000_000, 30), noise(10, 31)]);
    const [layer] = image.layers as [Descriptor];
    const broken = {
      ...{ name: image.source.name, reference: image.source.reference, close: async () => {} },
      root: () => image.source.root(),
      document: (entry: Descriptor) => image.source.document(entry),
      resolve: () => Promise.reject(new Error("nobody asks")),
      async *fetch(blob: Descriptor) {
        yield image.blobs.get(blob.digest)!.subarray(0, 1_000_000);
        if (blob.digest === layer.digest) throw new RtError("unavailable", "the line went dead");
      },
    } satisfies Source;
    const error = await failure(send(place, { ...image, source: broken }, [name]));
    expect(error.code).toBe("unavailable");
    expect(error.message).toContain("the line went dead");
    await nothingThere(place, layer);
    noDrafts(place);
    await send(place, image, [name]);
    await isRead(place, name, image);
  });

  if (!kind.asks) cancelled(test);
  if (!kind.onDisk || kind.adds) return;
  test("what was there before stays until the new one is whole", async (place) => {
    const [before, after] = [imageOf([noise(1000, 33)]), imageOf([noise(1000, 34)])];
    await send(place, before, [name]);
    {
      await using destination = await place.destination(name);
      await sendTo(destination, after, [name]);
    }
    await isRead(place, name, before);
    await send(place, after, [name]);
    await isRead(place, name, after);
  });
}

function cancelled(test: Test): void {
  test("one that is cancelled says so, and leaves nothing that looks whole", async (place) => {
    const image = imageOf([noise(2_000_000, 32)]);
    const [layer] = image.layers as [Descriptor];
    const stop = new AbortController();
    await using destination = await place.destination(name);
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield image.blobs.get(layer.digest)!.subarray(0, 1_000_000);
      stop.abort(new RtError("cancelled", "interrupted", { exitCode: 130 }));
      throw stop.signal.reason;
    }
    const error = await failure(destination.putBlob(layer, endless, { ...quiet, signal: stop.signal }));
    expect(error.code).toBe("cancelled");
    await destination[Symbol.asyncDispose]();
    await nothingThere(place, layer);
    noDrafts(place);
  });
}

function fullDisk(kind: DestinationKind): void {
  const gated = needs({ ...kind.needs, root: true });
  gated.test(`${kind.name}: a full disk is one line, and leaves nothing half-made`, async () => {
    const directory = mkdtempSync(join(scratchDirectory(), "rt-full-"));
    await run(["mount", "-t", "tmpfs", "-o", "size=2m", "rt-full", directory]);
    try {
      await using place = await kind.open(directory);
      const image = imageOf([noise(1_000_000, 35), noise(3_000_000, 36)]);
      const error = await failure(send(place, image, [name]));
      expect(error.code).toBe("exhausted");
      expect(error.message).toMatch(/^[^\n]*no space left[^\n]*$/i);
      await nothingThere(place, image.layers[1]!);
      noDrafts(place);
      await send(place, imageOf([noise(10, 37)]), [name]);
    } finally {
      await run(["umount", directory]);
      rmSync(directory, { recursive: true });
    }
  });
}

/** Sent by a command of its own. @returns what it is told to be there */
async function send(place: Place, image: TestImage, names: readonly Reference[]): Promise<Digest> {
  await using destination = await place.destination(names[0]!);
  const { digest } = await sendTo(destination, image, names);
  await destination.commit();
  return digest;
}

function sendTo(destination: Destination, { source }: TestImage, names: readonly Reference[]) {
  const { signal } = new AbortController();
  return sendImage({ source, destination, platform: undefined, names, onProgress: () => {}, signal });
}

/** Every byte of the image, from there. */
async function isRead(place: Place, called: Reference, image: TestImage): Promise<void> {
  const source = await place.source(called);
  try {
    const root = await source.root();
    expect(digestOf(root.bytes)).toBe(image.root.digest);
    await isReadBelow(source, root.bytes, root.contentType, image);
  } finally {
    await source.close();
  }
}

async function isReadBelow(
  source: Source,
  bytes: Uint8Array,
  contentType: string | null | undefined,
  image: TestImage,
): Promise<void> {
  const document = parseDocument(bytes, contentType, "what was sent");
  if (document.kind === "index") {
    for (const entry of document.manifests) {
      const below = await source.document(chosen(entry, "an entry"));
      expect(digestOf(below.bytes)).toBe(entry.digest as Digest);
      await isReadBelow(source, below.bytes, below.contentType ?? entry.mediaType, image);
    }
    return;
  }
  for (const blob of [document.config, ...document.layers]) {
    const parts: Uint8Array[] = [];
    for await (const chunk of source.fetch(blob, 0)) parts.push(Buffer.from(chunk));
    expect(digestOf(Buffer.concat(parts))).toBe(blob.digest);
    expect(Buffer.concat(parts)).toEqual(Buffer.from(image.blobs.get(blob.digest)!));
  }
}

/** No image of that name, no file of the blob's name, and the blob is asked for when it is sent. */
async function nothingThere(place: Place, blob: Descriptor): Promise<void> {
  const error = await failure(
    (async () => {
      const source = await place.source(name);
      await source.root().finally(() => source.close());
    })(),
  );
  expect(error.code).toBe("not-found");
  expect(place.files?.().filter((file) => file.endsWith(hexOf(blob.digest))) ?? []).toEqual([]);
}

function noDrafts(place: Place): void {
  expect(place.files?.().filter((file) => file.endsWith(".part")) ?? []).toEqual([]);
}

/** An image in memory. */
function imageOf(layers: readonly Uint8Array[], architecture = ownArchitecture): TestImage {
  const blobs = new Map(layers.map((bytes) => [digestOf(bytes), bytes]));
  const diffIDs = layers.map((bytes) => digestOf(bytes));
  const config = json({
    architecture,
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: diffIDs },
  });
  blobs.set(digestOf(config), config);
  const described = layers.map((bytes) => descriptorOf(bytes, mediaTypes.ociLayerTar));
  const { ociManifest: mediaType, ociConfig } = mediaTypes;
  const parts = { config: descriptorOf(config, ociConfig), layers: described };
  const bytes = json({ schemaVersion: 2, mediaType, ...parts });
  return imageIn({ digest: digestOf(bytes), mediaType, bytes }, blobs, described, []);
}

function indexOf(entries: readonly [TestImage, Descriptor["platform"]][]): TestImage {
  const mediaType = mediaTypes.ociIndex;
  const manifests = entries.map(([{ root }, platform]) => {
    return { ...descriptorOf(root.bytes, root.mediaType), platform };
  });
  const bytes = json({ schemaVersion: 2, mediaType, manifests });
  const blobs = new Map(entries.flatMap(([image]) => [...image.blobs]));
  const documents = entries.map(([{ root }]) => root);
  const layers = entries.flatMap(([image]) => image.layers);
  return imageIn({ digest: digestOf(bytes), mediaType, bytes }, blobs, layers, documents);
}

function imageIn(
  root: RawBlob,
  blobs: Map<Digest, Uint8Array>,
  layers: Descriptor[],
  documents: readonly RawBlob[],
): TestImage {
  const named = [...blobs, ...documents.map(({ digest, bytes }) => [digest, bytes] as const)];
  const files = new Map(named.map(([digest, bytes]) => [`blobs/sha256/${hexOf(digest)}`, bytes]));
  const raw = { bytes: root.bytes, contentType: root.mediaType };
  return { root, blobs, layers, source: new LayoutSource("memory", "", new MapFiles("test", files), raw) };
}

function descriptorOf(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Bytes that no two seeds share. */
/** A layer: a tar with one file that does not compress. */
function noise(length: number, seed: number): Uint8Array {
  return archive({ name: `file${seed}`, content: noiseOf(length, seed) });
}

function noiseOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

function givenBy(bytes: Uint8Array): ReadBlob {
  return async function* (_blob, offset) {
    for (let at = offset; at < bytes.length; at += 65_536) yield bytes.slice(at, at + 65_536);
  };
}

// biome-ignore lint/correctness/useYield: it has nothing to give
async function* notAsked(): AsyncGenerator<Uint8Array> {
  throw new Error("what is there was asked for");
}

async function failure(promise: Promise<unknown>): Promise<RtError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (error instanceof RtError) return error;
  throw new Error(`expected an RtError, got ${error}`, { cause: error });
}
