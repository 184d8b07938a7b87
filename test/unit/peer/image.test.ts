/** An image from one side to the other, where both are honest, and where one is not. */
import { describe, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { PeerDestination } from "../../../src/destination/peer.ts";
import { sendImage } from "../../../src/image/send.ts";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import { digestOf, hexOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { Channel } from "../../../src/peer/channel.ts";
import { parse } from "../../../src/reference/reference.ts";
import { MapFiles } from "../../../src/source/embedded.ts";
import { LayoutSource } from "../../../src/source/layout.ts";
import { PeerSource } from "../../../src/source/peer.ts";
import { frame, hello, MemoryPipe, pair } from "./pipes.ts";

const text = (value: object) => new TextEncoder().encode(JSON.stringify(value));
const described = (bytes: Uint8Array, mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});
const platform = { os: "linux", architecture: "amd64" };
const quiet = { signal: new AbortController().signal, onProgress: () => {}, elsewhere: [] };
const patience_ms = 3000;

function image(...layers: Uint8Array[]) {
  const config = text({
    ...{ os: "linux", architecture: "amd64", config: {} },
    rootfs: { type: "layers", diff_ids: layers.map((bytes) => digestOf(bytes)) },
  });
  const parts = layers.map((bytes) => described(bytes, mediaTypes.ociLayerTar));
  const manifest = text({
    ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest },
    ...{ config: described(config, mediaTypes.ociConfig), layers: parts },
  });
  const files = new Map(
    [config, manifest, ...layers].map((bytes) => [`blobs/sha256/${hexOf(digestOf(bytes))}`, bytes]),
  );
  const root = { bytes: manifest, contentType: mediaTypes.ociManifest };
  const source = new LayoutSource("memory", "", new MapFiles("test", files), root);
  return { source, manifest, config, layers: parts };
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

async function failure(promise: Promise<unknown>): Promise<RtError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (error instanceof RtError) return error;
  throw new Error(`expected an RtError, got ${error}`, { cause: error });
}

/** A giver of this image whose other side is the test's. */
async function giver({ source }: ReturnType<typeof image>, mayLeave = false) {
  const other = new MemoryPipe();
  other.come(hello({ role: "take" }));
  const channel = await Channel.open(other.pipe(), { who: "box: ", role: "give", patience_ms });
  const destination = new PeerDestination(channel, { name: "ssh://box", called: parse("a"), mayLeave });
  const sent = sendImage({
    ...{ source, destination, platform: undefined, names: [], onProgress: () => {} },
    signal: quiet.signal,
  }).then(() => destination.commit());
  sent.catch(() => undefined);
  return { other, destination, sent, said: () => Buffer.concat(other.written).toString("latin1") };
}

/** A taker whose other side is the test's. */
async function taker(root: Uint8Array, ...pieces: Uint8Array[]) {
  const other = new MemoryPipe();
  other.come(hello());
  const offered = { name: "docker.io/library/a:1", digest: digestOf(root), size: root.length };
  other.come(frame("image", 0, { ...offered, mediaType: mediaTypes.ociManifest }));
  const channel = await Channel.open(other.pipe(), { who: "box: ", role: "take", patience_ms });
  const source = await PeerSource.given(channel);
  for (const piece of pieces) setTimeout(() => other.come(piece), 20);
  return { other, source };
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); await Bun.sleep(2))
    if (Date.now() > end) throw new Error("it does not come");
}

describe("both honest", () => {
  test("all of an image, each part from the offset that is asked for, several at once, by digest", async () => {
    const big = crypto.getRandomValues(new Uint8Array(65_536));
    const layer = Buffer.concat(Array.from({ length: 50 }, () => big));
    const small = new Uint8Array([1, 2, 3]);
    const made = image(layer, small);
    const [a, b] = pair();
    const [give, take] = await Promise.all([
      Channel.open(a, { who: "", role: "give", patience_ms }),
      Channel.open(b, { who: "", role: "take", patience_ms }),
    ]);
    const destination = new PeerDestination(give, { name: "ssh://box" });
    const progress: string[] = [];
    const sent = sendImage({
      ...{ source: made.source, destination, platform: undefined, names: [parse("team/web:2")] },
      onProgress: ({ status }) => void progress.push(status),
      signal: quiet.signal,
    });
    const source = await PeerSource.given(take);
    expect(source.reference).toBe("docker.io/team/web:2");
    expect((await source.root()).bytes).toEqual(Buffer.from(made.manifest));
    const found = await source.resolve(platform);
    expect(found.target).toBe(digestOf(made.manifest));
    const [first, second] = made.layers as [Descriptor, Descriptor];
    const [whole, rest, none] = await Promise.all([
      joined(source.fetch(first, 0)),
      joined(source.fetch(first, 1_000_001)),
      joined(source.fetch(first, first.size)),
    ]);
    expect(digestOf(whole)).toBe(first.digest);
    expect(Buffer.compare(rest, layer.subarray(1_000_001))).toBe(0);
    expect(none.length).toBe(0);
    source.have(second.digest);
    await source.done(found.target);
    expect(await sent).toMatchObject({ digest: digestOf(made.manifest) });
    await destination.commit();
    expect(progress.filter((status) => status === "sent" || status === "exists").sort()).toEqual([
      "exists",
      "sent",
    ]);
    await source.close();
    await destination[Symbol.asyncDispose]();
  });

  test("one who has enough of a blob stops it, and others go on", async () => {
    const layer = new Uint8Array(20 << 20).fill(7);
    const made = image(layer);
    const [a, b] = pair();
    const [give, take] = await Promise.all([
      Channel.open(a, { who: "", role: "give", patience_ms }),
      Channel.open(b, { who: "", role: "take", patience_ms }),
    ]);
    const destination = new PeerDestination(give, { name: "ssh://box", called: parse("a") });
    const sent = sendImage({
      ...{ source: made.source, destination, platform: undefined, names: [], onProgress: () => {} },
      signal: quiet.signal,
    });
    const source = await PeerSource.given(take);
    const [first] = made.layers as [Descriptor];
    for await (const piece of source.fetch(first, 0)) if (piece.length > 0) break;
    expect((await joined(source.fetch(first, 0))).length).toBe(layer.length);
    await source.done(first.digest);
    await sent;
    await destination[Symbol.asyncDispose]();
  });
});

describe("a hostile taker", () => {
  const made = image(new Uint8Array(1000));

  test("gets nothing but what the image is made of", async () => {
    const { other, said, destination, sent } = await giver(made);
    const secret = digestOf("somebody else's");
    other.come(frame("want", 1, { digest: secret, size: 5, offset: 0 }));
    await until(() => said().includes("is no part of the image"));
    other.come(frame("want", 2, { digest: made.layers[0]!.digest, size: 1000, offset: 1001 }));
    await until(() => said().includes("has 1000 bytes, not 1001"));
    other.come(frame("done", 0, {}));
    await sent;
    await destination[Symbol.asyncDispose]();
  });

  const bad: [string, Uint8Array, RegExp][] = [
    ["a digest that is a path", frame("want", 1, { digest: "sha256:../../etc/shadow", offset: 0 }), /digest/],
    ["a sha512", frame("want", 1, { digest: `sha512:${"0".repeat(128)}`, offset: 0 }), /digest/],
    ["an offset below 0", frame("want", 1, { digest: digestOf("x"), offset: -1 }), /offset/],
    ["an offset that is no number", frame("want", 1, { digest: digestOf("x"), offset: "1e9" }), /offset/],
    ["data", frame("data", 1, new Uint8Array(5)), /"data"/],
    ["an image", frame("image", 0, {}), /"image"/],
    ["no JSON", frame("want", 1, Buffer.from("\u0000")), /JSON/],
    ["noise", Buffer.alloc(64, 0xa5), /does not know/],
  ];
  for (const [what, bytes, message] of bad)
    test(`${what}: the end, in one line`, async () => {
      const { other, destination, sent } = await giver(made);
      other.come(bytes);
      const error = await failure(sent);
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/^box: [\x20-\x7e]*$/);
      await destination[Symbol.asyncDispose]();
    });

  test("wants without end: too much at once is refused", async () => {
    const slow = image(new Uint8Array(1000));
    slow.source.fetch = async function* () {
      await new Promise(() => {});
      yield new Uint8Array();
    };
    const { other, destination, sent } = await giver(slow);
    for (let id = 1; id < 100; id++)
      other.come(frame("want", id, { digest: slow.layers[0]!.digest, size: 1000, offset: 0 }));
    expect((await failure(sent)).message).toContain("wants too much at once");
    await destination[Symbol.asyncDispose]();
  });

  test("goes away: an error where we called, the end where it did", async () => {
    const [called, caller] = [await giver(made), await giver(made, true)];
    for (const { other } of [called, caller]) other.come(undefined);
    expect((await failure(called.sent)).code).toBe("unavailable");
    await caller.sent;
  });
});

describe("a hostile giver", () => {
  const made = image(new Uint8Array(1000));
  const [layer] = made.layers as [Descriptor];

  const bad: [string, Uint8Array[], RegExp][] = [
    ["more than it promised", [frame("data", 1, new Uint8Array(1001))], /more than 1000/],
    ["less", [frame("data", 1, new Uint8Array(5)), frame("end", 1)], /gave 5 of the 1000/],
    ["what was not asked for", [frame("data", 9, new Uint8Array(5))], /"data"/],
    ["a want", [frame("want", 1, {})], /"want"/],
    ["a failure", [frame("fail", 1, { code: "not-found", message: "gone" })], /^box: gone$/],
    ["noise", [Buffer.alloc(64, 0xa5)], /does not know/],
  ];
  for (const [what, pieces, message] of bad)
    test(`${what}: an error in one line`, async () => {
      const { source } = await taker(made.manifest, ...pieces);
      const error = await failure(joined(source.fetch(layer, 0)));
      expect(error.message).toMatch(message);
      await source.close();
    });

  test("a manifest of another digest is not believed", async () => {
    const lie = new Uint8Array(made.manifest.length).fill(0x20);
    const { source } = await taker(made.manifest, frame("data", 1, lie), frame("end", 1));
    expect((await failure(source.root())).message).toMatch(/refused$/);
    await source.close();
  });

  test("ends: so do all that wait, and all that come after", async () => {
    const { other, source } = await taker(made.manifest);
    const waiting = [failure(joined(source.fetch(layer, 0))), failure(source.root())];
    other.come(undefined);
    for (const each of waiting) expect((await each).code).toBe("unavailable");
    expect((await failure(source.root())).code).toBe("unavailable");
  });

  test("an offer that is none", async () => {
    for (const offered of [
      {},
      { name: "a", digest: "sha256:x", size: 1, mediaType: "x" },
      { name: "a", digest: layer.digest, size: 2 ** 53, mediaType: "x" },
      { name: "a", digest: layer.digest, size: 5 << 20, mediaType: "x" },
      { name: "../../x", digest: layer.digest, size: 5, mediaType: "x" },
      { name: "a\nb", digest: layer.digest, size: 5, mediaType: "x" },
    ]) {
      const other = new MemoryPipe();
      other.come(hello());
      other.come(frame("image", 0, offered));
      const channel = await Channel.open(other.pipe(), { who: "box: ", role: "take", patience_ms });
      expect((await failure(PeerSource.given(channel))).message).toMatch(/^[^\n]+$/);
    }
  });
});
