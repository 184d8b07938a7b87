/**
 * Pulls of a real image that are killed at any moment, or run out of disk or descriptors: whatever happens, the next
 * command finds a whole store, goes on from what is there, and says what went wrong in one line.
 */
import { afterAll, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseDigest } from "../../src/oci/digest.ts";
import { contentOf, snapshotsOf, storeIsEmpty } from "../cli/image-world.ts";
import { oneLine } from "../cli/world.ts";
import { run } from "../support/command.ts";
import { debianLayout, debianNeeds } from "../support/debian.ts";
import { FakeRegistry, type SeenRequest, type TestImage, type Wire } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import type { Descriptor } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";

const { test, beforeAll } = needs(debianNeeds);

const rounds = 30;
let registry: FakeRegistry;
let name: string;
let layers: Descriptor[];

beforeAll(async () => {
  registry = await FakeRegistry.start();
  name = registry.push("debian", "gzip", await imageIn(await debianLayout(), "gzip"));
}, 300_000);

afterAll(async () => registry?.[Symbol.asyncDispose]());

async function imageIn(layout: string, tag: string): Promise<TestImage> {
  const index: { manifests: Descriptor[] } = await Bun.file(join(layout, "index.json")).json();
  const top = index.manifests.find(
    (each) => each.annotations?.["org.opencontainers.image.ref.name"] === tag,
  )!;
  const blob = (digest: string) => Bun.file(join(layout, "blobs", digest.replace(":", "/"))).bytes();
  const bytes = await blob(top.digest);
  const manifest: { config: Descriptor; layers: Descriptor[] } = JSON.parse(new TextDecoder().decode(bytes));
  layers = manifest.layers;
  const contents = await Promise.all(layers.map(({ digest }) => blob(digest)));
  const config = await blob(manifest.config.digest);
  return {
    blobs: [config, ...contents],
    documents: [{ bytes, mediaType: top.mediaType }],
    layers: contents,
    config,
    manifestDigest: parseDigest(top.digest),
  };
}

/** In pieces, so that a kill finds the transfer on its way. */
function slowly(request: SeenRequest, wire: Wire): void {
  const bytes = registry.blob(request.path.split("/").at(-1)!);
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
  const range = { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  wire.head(from > 0 ? 206 : 200, { "Content-Length": String(bytes.length - from), ...(from > 0 && range) });
  const piece = 1 << 20;
  let at = from;
  const more = () => {
    if (wire.socket.destroyed || at >= bytes.length) return;
    wire.socket.write(bytes.subarray(at, at + piece));
    at += piece;
    setTimeout(more, 2);
  };
  more();
}

/** Blobs are what they are called; of no image there is half. Any command may look. */
async function checkStore(host: TestHost): Promise<void> {
  const blobs = join(host.root, "content/blobs/sha256");
  for (const hex of existsSync(blobs) ? readdirSync(blobs) : []) {
    const actual = new Bun.CryptoHasher("sha256").update(readFileSync(join(blobs, hex))).digest("hex");
    expect(actual).toBe(hex);
  }
  const ids = (await host.ok(["images", "-aq"])).trim();
  if (ids === "") return;
  const script = "cat /srv/three /srv/wasfile/file";
  expect(await host.ok(["run", "--rm", "--pull", "never", name, "sh", "-c", script])).toBe("linked\nnow\n");
}

/** Bytes of layers that earlier pulls have left, by digest. */
function partsOf(host: TestHost): Map<string, number> {
  const parts = new Map<string, number>();
  for (const { digest } of layers) {
    const size = statSync(join(host.root, "content/ingest", digest.slice(7)), {
      throwIfNoEntry: false,
    })?.size;
    if (size) parts.set(digest, size);
  }
  return parts;
}

test(`killed at ${rounds} random moments: the store is whole each time, and bytes that came are not fetched again`, async () => {
  await using host = await testHost();
  registry.once(/\/blobs\//, slowly, rounds * 5);
  let resumed = 0;
  let whole = 0;
  for (let round = 0; round < rounds; round++) {
    const parts = partsOf(host);
    const seen = registry.requests.length;
    await using pull = host.spawn(["pull", "-q", name]);
    await Promise.race([Bun.sleep(Math.random() * (round % 2 === 0 ? 250 : 1500)), pull.exited]);
    pull.kill("SIGKILL");
    await pull.exited;
    expect(pull.stderr.text).toBe("");
    for (const [digest, size] of parts) {
      const request = registry.requests.slice(seen).find(({ path }) => path.endsWith(digest));
      if (!request) continue; // Killed before, or all of it was here.
      expect(request.headers.get("range")).toBe(`bytes=${size}-`);
      resumed++;
    }
    await checkStore(host);
    if ((await host.ok(["images", "-aq"])) === "") continue;
    whole++;
    await host.ok(["rmi", "-f", name]);
  }
  await host.ok(["pull", "-q", name]);
  await checkStore(host);
  expect(snapshotsOf(host).filter((path) => path.includes("/tmp/"))).toEqual([]);
  expect(contentOf(host).filter((path) => path.startsWith("ingest/"))).toEqual([]);
  await host.ok(["rmi", "-f", name]);
  expect(await storeIsEmpty(host)).toEqual([]);
  console.log(`${resumed} transfers were resumed, ${whole} pulls were done before the kill`);
}, 120_000);

/** A layer in two halves: what a kill leaves is gone on with, in this image as in the small ones. */
test("killed in the middle of the largest layer: the rest is asked for", async () => {
  await using host = await testHost();
  const [base] = layers as [Descriptor];
  const half = Math.floor(base.size / 2);
  registry.once(new RegExp(`blobs/${base.digest}`), (_, wire) => {
    wire.head(200, { "Content-Length": String(base.size) });
    wire.socket.write(registry.blob(base.digest).subarray(0, half));
  });
  await using pull = host.spawn(["pull", "-q", name]);
  while (partsOf(host).get(base.digest) !== half) await Bun.sleep(2);
  pull.kill("SIGKILL");
  await pull.exited;
  const seen = registry.requests.length;
  await host.ok(["pull", "-q", name]);
  const request = registry.requests.slice(seen).find(({ path }) => path.endsWith(base.digest));
  expect(request?.headers.get("range")).toBe(`bytes=${half}-`);
  await checkStore(host);
});

for (const megabytes of [1, 24, 60, 120]) {
  test(`a disk of ${megabytes} MB: one line, the space is given back, and with more of it the pull succeeds`, async () => {
    await using host = await testHost();
    mkdirSync(host.root, { recursive: true });
    await run(["mount", "-t", "tmpfs", "-o", `size=${megabytes}m,mode=700`, "rt-test", host.root]);
    try {
      const { code, stderr } = await host.rt(["pull", name]);
      expect(oneLine(stderr)).toMatch(/no space left|disk is full|ENOSPC/i);
      expect(code).toBe(125);
      expect(await host.ok(["images", "-aq"])).toBe("");
      const { blocks, bfree, bsize } = statfsSync(host.root);
      const kept = layers.filter(({ digest }) =>
        existsSync(join(host.root, "content/blobs/sha256", digest.slice(7))),
      );
      const used = (blocks - bfree) * bsize - kept.reduce((sum, { size }) => sum + size, 0);
      // Committed layers are kept for the next attempt; nothing half done is.
      expect(snapshotsOf(host).filter((path) => path.includes("/tmp/"))).toEqual([]);
      // The database and the room that is kept for removing are all that there is.
      if (!snapshotsOf(host).some((path) => path.includes("/committed/")))
        expect(used).toBeLessThan(1.25 * 2 ** 20);
      await run(["mount", "-o", "remount,size=2g", host.root]);
      await host.ok(["pull", "-q", name]);
      await checkStore(host);
    } finally {
      await run(["umount", host.root]);
    }
  }, 240_000);
}

test("few descriptors: one line that says so, and nothing half done", async () => {
  await using host = await testHost();
  const outcomes = new Set<number>();
  for (const limit of [16, 20, 24, 28, 30, 34, 40, 50]) {
    const child = Bun.spawn(
      ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh", rtBinary, "pull", "-q", name],
      {
        env: host.env,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: 20_000,
      },
    );
    const [stderr, code] = [await child.stderr.text(), await child.exited];
    outcomes.add(code);
    if (code === 0) {
      expect(stderr).toBe("");
      await host.ok(["rmi", "-f", name]);
      continue;
    }
    expect({ limit, code, line: oneLine(stderr) }).toEqual({
      limit,
      code: 125,
      line: expect.stringMatching(/EMFILE|too many open files/i),
    });
    await checkStore(host);
  }
  expect(outcomes).toContain(125);
  await host.ok(["pull", "-q", name]);
}, 120_000);
