import { expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../../../src/base/errors.ts";
import { ensureImage } from "../../../../src/engine/image/ensure.ts";
import { type LayerProgress, pullFrom } from "../../../../src/engine/image/pull.ts";
import { chainIDs, digestOf, hexOf } from "../../../../src/oci/digest.ts";
import { scratch } from "../../store/samples.ts";
import { FakeSource, fakeHost, layerBytes } from "../fakes.ts";

const reference = "docker.io/library/alpine:3.20";
const layers = ["a", "b", "c", "d", "e", "f"].map((seed) => layerBytes(seed));
const alpine = () => new FakeSource({ reference, layers, config: { Cmd: ["sh"] } });
const digests = layers.map((layer) => digestOf(layer));
const chain = chainIDs(digests);

const sum = (source: FakeSource) => [...source.fetched.values()].reduce((a, b) => a + b, 0);
const ingests = (path: string) => readdirSync(join(path, "root/content/ingest"));

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof RtError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

test.each([true, false])("a pulled image is whole (layers in parallel: %p)", async (parallel) => {
  using dir = scratch();
  using host = fakeHost(dir.path, parallel);
  const source = alpine();
  const events: LayerProgress[] = [];
  const result = await pullFrom(host, source, { onProgress: (event) => events.push(event) });
  expect(result).toMatchObject({
    name: reference,
    familiar: "alpine:3.20",
    target: source.image.target,
    status: "downloaded",
  });
  const { record, tags, digests: names } = host.images.get("alpine:3.20");
  expect(record).toEqual(result.image);
  expect(record).toMatchObject({
    id: source.image.manifest.config.digest,
    chain,
    diffIDs: digests,
    size: 300_000,
  });
  expect(record.config).toEqual({ Cmd: ["sh"] });
  expect([tags.length, names[0]?.digest]).toEqual([1, source.image.target]);
  expect(host.driver.list().committed.sort()).toEqual([...chain].sort());
  const content = await host.content();
  const blobs = [...digests, record.id, source.image.target];
  expect(content.list().sort()).toEqual(blobs.sort());
  expect(ingests(dir.path)).toEqual([]);
  expect(host.database.all("SELECT * FROM leases")).toEqual([]);

  const statuses = events.filter(({ layer }) => layer === digests[0]).map(({ status }) => status);
  expect([...new Set(statuses)]).toEqual(["waiting", "downloading", "extracting", "done"]);
  expect(events.findLast(({ layer }) => layer === digests[5])).toEqual({
    layer: digests[5]!,
    status: "done",
    current: 50_000,
    total: 50_000,
  });
});

test("a disk that is full while a layer is unpacked gets back what has half arrived of all layers", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const source = alpine();
  const halves = Promise.withResolvers<void>();
  source.meddle = async (chunk, layer, offset) => {
    if (offset < 20_000) return chunk;
    if (layer.digest !== digests[1]) await halves.promise;
    return chunk;
  };
  host.driver.unpack = async ({ source: blob, signal }) => {
    let have = 0;
    while (have < 50_000) have = (await blob.more(have)).size;
    setTimeout(halves.resolve, 50); // by then the others have been told to stop
    signal?.throwIfAborted();
    throw new RtError("exhausted", "no space left on device");
  };
  expect(await codeOf(pullFrom(host, source))).toMatch(/^exhausted: .*no space left/);
  expect(ingests(dir.path)).toEqual([]);
});

test("the lock of a pull that was killed between its last step and its end goes with the next one", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  await pullFrom(host, alpine());
  writeFileSync(join(dir.path, "root/content/ingest", `chain-${hexOf(chain[3]!)}`), "");
  const other = new FakeSource({
    reference: "docker.io/library/other:1",
    layers: [...layers, layerBytes("x")],
  });
  await pullFrom(host, other);
  expect(ingests(dir.path)).toEqual([]);
});

test("what is here is not fetched again", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  await pullFrom(host, alpine());
  const again = alpine();
  const events: LayerProgress[] = [];
  expect((await pullFrom(host, again, { onProgress: (event) => events.push(event) })).status).toBe(
    "up-to-date",
  );
  expect(sum(again)).toBe(0);
  expect(events.filter(({ status }) => status === "exists")).toHaveLength(6);

  // Another image on the same layers: only what is new.
  const child = new FakeSource({ reference: "docker.io/me/child:1", layers: [...layers, layerBytes("new")] });
  await pullFrom(host, child);
  expect([...child.fetched.keys()]).toEqual([digestOf(layerBytes("new"))]);

  // Unpacked no more, but the blobs are here.
  await host.driver.removeCommitted(chain[2]!);
  await host.driver.removeCommitted(chain[5]!);
  const third = alpine();
  await pullFrom(host, third);
  expect(sum(third)).toBe(0);
  expect(host.driver.has(chain[5]!)).toBe(true);
});

test("a layer that occurs twice, or not at all, is no trouble", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const [a, b] = [layerBytes("a"), layerBytes("empty", 1024)];
  const source = new FakeSource({ reference, layers: [a, b, b, a, b] });
  const { image } = await pullFrom(host, source);
  expect(sum(source)).toBe(a.length + b.length);
  expect(image.chain).toHaveLength(5);
  const scratchImage = new FakeSource({ reference: "docker.io/library/nothing:latest", layers: [] });
  expect((await pullFrom(host, scratchImage)).image.chain).toEqual([]);
});

test("a broken transfer leaves no image, and the next goes on from there", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const broken = alpine();
  broken.meddle = (chunk, layer, offset) => {
    if (layer.digest === digests[2] && offset >= 20_000) throw new RtError("unavailable", "connection reset");
    return chunk;
  };
  expect(await codeOf(pullFrom(host, broken))).toBe("unavailable: connection reset");
  expect(host.images.list()).toEqual([]);
  expect(host.driver.has(chain[2]!)).toBe(false);
  expect(ingests(dir.path)).toContain(hexOf(digests[2]!));
  expect(ingests(dir.path).some((name) => name.startsWith("chain-"))).toBe(false);
  const next = alpine();
  await pullFrom(host, next);
  expect(next.fetched.get(digests[2]!)).toBe(50_000 - 20_480);
  expect(sum(broken) + sum(next)).toBe(300_000);
});

test.each<[string, (source: FakeSource) => void, RegExp]>([
  [
    "other bytes",
    (s) => (s.meddle = (chunk, _, at) => (at === 8192 ? chunk.fill(0) : chunk)),
    /another digest/,
  ],
  [
    "too many bytes",
    (s) => (s.meddle = (chunk) => Buffer.concat([chunk, chunk])),
    /longer than the 50000 bytes/,
  ],
  [
    "too few bytes",
    (s) => (s.meddle = (chunk, _, at) => (at === 0 ? chunk : chunk.slice(1))),
    /ended after \d+ of 50000/,
  ],
])("a source that gives %s is not believed", async (_, lie, why) => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const liar = alpine();
  lie(liar);
  expect(await codeOf(pullFrom(host, liar))).toMatch(why);
  expect(host.images.list()).toEqual([]);
  expect(host.driver.list().committed).toEqual([]);
  expect((await host.content()).list().filter((blob) => digests.includes(blob))).toEqual([]);
  await pullFrom(host, alpine());
});

test("bytes that fit the config but not the manifest are refused before they can be seen", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const evil = layerBytes("evil");
  const source = new FakeSource({ reference, layers, diffIDs: digests.with(0, digestOf(evil)) });
  source.meddle = (chunk, layer, at) =>
    layer.digest === digests[0] ? evil.slice(at, at + chunk.length) : chunk;
  expect(await codeOf(pullFrom(host, source))).toMatch(/^data-loss: blob .* another digest/);
  expect(host.driver.list().committed).toEqual([]);
});

test("a config that lies about a layer's content is refused", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const wrong = new FakeSource({ reference, layers, diffIDs: digests.with(3, digestOf("other")) });
  expect(await codeOf(pullFrom(host, wrong))).toBe(
    `data-loss: layer ${digests[3]}: the archive's digest is not ${digestOf("other")}`,
  );
  expect(host.images.list()).toEqual([]);
  const fewer = new FakeSource({ reference, layers, diffIDs: digests.slice(1) });
  expect(await codeOf(pullFrom(host, fewer))).toStartWith("data-loss: ");
  const odd = new FakeSource({ reference, layers, mediaType: "application/x-what" });
  expect(await codeOf(pullFrom(host, odd))).toContain(
    'has a layer of type "application/x-what", which rt cannot unpack',
  );
});

test("damage on our own disk is repaired from the source", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  await pullFrom(host, alpine());
  const content = await host.content();
  rmSync(content.path(digests[1]!));
  writeFileSync(content.path(digests[1]!), layerBytes("damage"));
  await host.driver.removeCommitted(chain[1]!);
  const source = alpine();
  await pullFrom(host, source);
  expect(source.fetched.get(digests[1]!)).toBe(50_000);
  expect(await content.intact(digests[1]!)).toBe(true);

  // The beginning that an earlier transfer left is of something else.
  await host.driver.removeCommitted(chain[1]!);
  content.remove(digests[1]!);
  writeFileSync(join(dir.path, "root/content/ingest", hexOf(digests[1]!)), "something else");
  await pullFrom(host, alpine());
  expect(await content.intact(digests[1]!)).toBe(true);
});

test("cancelled: it stops at once, and what came is kept", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const stop = new AbortController();
  const source = alpine();
  source.meddle = (chunk, layer, offset) => {
    if (layer.digest === digests[1] && offset > 20_000) stop.abort();
    return chunk;
  };
  expect(await codeOf(pullFrom(host, source, { signal: stop.signal }))).toStartWith(
    "cancelled: cancelled; what has arrived is kept",
  );
  expect(host.images.list()).toEqual([]);
  expect(ingests(dir.path)).toContain(hexOf(digests[1]!));
  expect(await codeOf(pullFrom(host, alpine(), { signal: AbortSignal.abort() }))).toStartWith("cancelled: ");
});

test("an image for run: here, missing, never", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const { image } = await pullFrom(host, alpine());
  const fail = () => {
    throw new Error("it was to be pulled");
  };
  for (const policy of ["missing", "never"] as const) {
    expect(await ensureImage(host, "alpine:3.20", { policy, onPull: fail })).toEqual(image);
    expect(await ensureImage(host, image.id.slice(7, 19), { policy, onPull: fail })).toEqual(image);
  }
  expect(await codeOf(ensureImage(host, "nope", { policy: "never" }))).toBe("not-found: No such image: nope");
  expect(await codeOf(ensureImage(host, "0".repeat(64), { policy: "missing" }))).toStartWith(
    "not-found: No such image",
  );
  expect(
    await codeOf(ensureImage(host, "alpine:3.20", { policy: "never", platform: "linux/s390x" })),
  ).toContain("not for linux/s390x");
  // Named in full before it is asked for; what no registry can have is not asked for.
  const onPull = (name: string) => {
    throw new RtError("unavailable", name);
  };
  const asked = (name: string) => codeOf(ensureImage(host, name, { policy: "missing", onPull }));
  expect(await asked("docker.io/library/nope")).toBe("unavailable: nope:latest");
  expect(await asked("NOPE")).toStartWith("invalid-argument: ");
  expect(await asked("nope:")).toStartWith("invalid-argument: ");
  // Unpacked by another driver: from the blobs, without a registry.
  for (const id of chain) await host.driver.removeCommitted(id);
  expect(await ensureImage(host, "alpine:3.20", { policy: "never", onPull: fail })).toEqual(image);
  expect(host.driver.has(chain[5]!)).toBe(true);
});

test("fifty processes that pull two images of the same layers fetch and unpack each layer once", async () => {
  using dir = scratch();
  const log = join(dir.path, "log");
  const script = join(import.meta.dir, "pull-one.ts");
  const children = Array.from({ length: 50 }, () =>
    Bun.spawn([process.execPath, script, dir.path, log], { stdout: "ignore", stderr: "pipe" }),
  );
  for (const child of children) {
    expect(await child.stderr.text()).toBe("");
    expect(await child.exited).toBe(0);
  }
  expect(readFileSync(log, "utf8")).toBe("50000\n".repeat(3));
  expect(readFileSync(`${log}.unpacked`, "utf8")).toBe("x".repeat(6));
  using host = fakeHost(dir.path);
  expect(host.images.list()).toHaveLength(2);
  expect(host.driver.list().committed).toHaveLength(6);
  expect(ingests(dir.path)).toEqual([]);
}, 240_000);
