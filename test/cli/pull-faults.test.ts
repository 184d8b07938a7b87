/** Registries that fail, lie and stall, through the executable: resumed or refused in one line, and nothing left of a lie. */
import { expect } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { FakeRegistry, type TestImage, type TestManifest } from "../support/fake-registry.ts";
import { testHost } from "../support/host.ts";
import { needs } from "../support/root.ts";
import { archive } from "../support/tar.ts";
import { until } from "../support/wait.ts";
import {
  contentOf,
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

const length = 3_000_000;
const big = fileLayer("big", length);
const blob = new RegExp(`GET .*/blobs/${digestOf(big)}`);

const withImage = (image: TestImage = imageOf([fileLayer("small", 1000), big])) => servedImage(image);

test("cut at any byte: the command goes on from there", async () => {
  for (const at of [1, 511, 512, 65_536, 1_500_000, big.length - 1]) {
    await using world = await withImage();
    const ingest = join(world.host.root, "content/ingest", digestOf(big).slice(7));
    world.registry.once(blob, async (_, wire) => {
      wire.head(200, { "Content-Length": String(big.length) });
      wire.socket.write(big.subarray(0, at));
      await until("it is on disk", () => statSync(ingest, { throwIfNoEntry: false })?.size === at);
      wire.socket.end();
    });
    expect((await world.host.rt(["pull", "-q", world.name])).stderr).toBe("");
    expect(world.registry.seen(blob).map(({ headers }) => headers.get("range"))).toEqual([
      null,
      `bytes=${at}-`,
    ]);
  }
});

test("killed in the middle of a layer: the next command goes on from there", async () => {
  await using world = await withImage();
  const half = 1_000_000;
  world.registry.once(blob, (_, wire) => {
    wire.head(200, { "Content-Length": String(big.length) });
    wire.socket.write(big.subarray(0, half));
  });
  await using pull = world.host.spawn(["pull", world.name]);
  const ingest = join(world.host.root, "content/ingest", digestOf(big).slice(7));
  await until("the half is on disk", () => statSync(ingest, { throwIfNoEntry: false })?.size === half);
  pull.kill("SIGKILL");
  await pull.exited;
  expect(await world.host.ok(["images", "-aq"])).toBe("");
  await world.host.ok(["pull", "-q", world.name]);
  expect(world.registry.seen(blob).map(({ headers }) => headers.get("range"))).toEqual([
    null,
    `bytes=${half}-`,
  ]);
  expect(contentOf(world.host).filter((path) => path.startsWith("ingest/"))).toEqual([]);
  expect(snapshotsOf(world.host)).toHaveLength(2);
});

test("Control-C: one line, 130, and what has arrived is kept", async () => {
  await using world = await withImage();
  world.registry.once(blob, (_, wire) => {
    wire.head(200, { "Content-Length": String(big.length) });
    wire.socket.write(big.subarray(0, 700_000));
  });
  await using pull = world.host.spawn(["pull", world.name]);
  const ingest = join(world.host.root, "content/ingest", digestOf(big).slice(7));
  await until("a part is on disk", () => statSync(ingest, { throwIfNoEntry: false })?.size === 700_000);
  pull.kill("SIGINT");
  expect(await pull.exited).toBe(130);
  expect(oneLine(pull.stderr.text)).toBe("pull interrupted; the next one goes on from here");
  expect(statSync(ingest).size).toBe(700_000);
  expect(await world.host.ok(["images", "-aq"])).toBe("");
  await world.host.ok(["pull", "-q", world.name]);
  expect(world.registry.seen(blob).at(-1)!.headers.get("range")).toBe("bytes=700000-");
});

test("Control-C while the registry has not answered yet", async () => {
  await using world = await withImage();
  world.registry.always(/manifests/, () => {});
  await using pull = world.host.spawn(["pull", world.name]);
  await until("it is asked", () => world.registry.seen(/manifests/).length > 0);
  pull.kill("SIGINT");
  expect(await pull.exited).toBe(130);
  expect(oneLine(pull.stderr.text)).toBe("pull interrupted; the next one goes on from here");
  expect(await storeIsEmpty(world.host)).toEqual([]);
});

const edited = (edit: (manifest: TestManifest) => object): TestImage => {
  const image = imageOf([big]);
  const manifest = JSON.parse(new TextDecoder().decode(image.documents[0]!.bytes));
  const bytes = Buffer.from(JSON.stringify(edit(manifest)));
  return { ...image, documents: [{ ...image.documents[0]!, bytes }], manifestDigest: digestOf(bytes) };
};
const sized = (by: number) =>
  edited((manifest) => ({ ...manifest, layers: [{ ...manifest.layers[0]!, size: big.length + by }] }));

const lies: [string, () => TestImage, ((registry: FakeRegistry) => void) | undefined, RegExp][] = [
  [
    "other bytes of the right length",
    () => imageOf([big]),
    (r) =>
      r.always(blob, (_, wire) =>
        wire.reply(200, {}, Buffer.concat([big.subarray(0, -512), Buffer.alloc(512, 1)])),
      ),
    /blob sha256:[0-9a-f]{64} was refused: its bytes have another digest$/,
  ],
  [
    "garbage of the right length",
    () => imageOf([big]),
    (r) => r.always(blob, (_, wire) => wire.reply(200, {}, Buffer.alloc(big.length, 7))),
    /sha256:[0-9a-f]{64}/,
  ],
  [
    "a size one too small",
    () => sized(-1),
    undefined,
    /bytes for sha256:[0-9a-f]{64} where its manifest says \d+: refused$/,
  ],
  [
    "a size one too large",
    () => sized(1),
    undefined,
    /bytes for sha256:[0-9a-f]{64} where its manifest says \d+: refused$/,
  ],
  [
    "trailing bytes without a length",
    () => imageOf([big]),
    (r) =>
      r.always(blob, (_, wire) => {
        wire.head(200, { Connection: "close" });
        wire.socket.end(Buffer.concat([big, Buffer.from("more")]));
      }),
    /sends more bytes for sha256:[0-9a-f]{64} where its manifest says \d+: refused$/,
  ],
  ["a wrong diffID", () => imageOf([big], [digestOf("other")]), undefined, /sha256:/],
  [
    "fewer diffIDs than layers",
    () => imageOf([big, fileLayer("b", 10)], [digestOf(big)]),
    undefined,
    /1 .*2|2 .*1/,
  ],
  [
    "a manifest with layers and manifests",
    () => edited((manifest) => ({ ...manifest, manifests: [] })),
    undefined,
    /claims to be a manifest and an index at once: refused$/,
  ],
  [
    "a digest that is a path",
    () =>
      edited((manifest) => ({
        ...manifest,
        layers: [{ ...manifest.layers[0]!, digest: "sha256:../../../../../../etc/passwd" }],
      })),
    undefined,
    /digest/,
  ],
  [
    "an artifact",
    () =>
      edited((manifest) => ({
        ...manifest,
        layers: [{ ...manifest.layers[0]!, mediaType: "application/x-model" }],
      })),
    undefined,
    /application\/x-model/,
  ],
  [
    "a layer that leads out by ..",
    () => imageOf([archive({ name: "../../../escape", content: "x" })]),
    undefined,
    /escape/,
  ],
  [
    "a layer that is cut, as the manifest wants it",
    () => imageOf([big.subarray(0, 100_000)]),
    undefined,
    /sha256:/,
  ],
];
for (const [what, image, script, line] of lies) {
  test(`${what}: refused in one line, nothing is committed, nothing is left`, async () => {
    await using world = await withImage(image());
    script?.(world.registry);
    await refusedPull(world.host, world.name, line);
    expect(await storeIsEmpty(world.host)).toEqual([]);
    expect(readdirSync(world.host.dir).includes("escape")).toBe(false);
  });
}

test("a registry that was wrong once is not wrong for ever", async () => {
  await using world = await withImage();
  world.registry.once(blob, (_, wire) => wire.reply(200, {}, Buffer.alloc(big.length, 7)));
  await refusedPull(world.host, world.name, /sha256:/);
  await world.host.ok(["pull", "-q", world.name]);
});

test("a beginning that unpacks to nonsense is not kept, however much was to come", async () => {
  await using world = await withImage();
  world.registry.once(blob, (_, wire) => {
    wire.head(200, { "Content-Length": String(big.length) });
    wire.socket.write(Buffer.alloc(1_000_000, 7));
  });
  await refusedPull(world.host, world.name, /^layer sha256:/);
  expect(await storeIsEmpty(world.host)).toEqual([]);
  await world.host.ok(["pull", "-q", world.name]);
});

test("of a lying image nothing of the other layers is kept either", async () => {
  const lie = fileLayer("lie", 100_000);
  await using world = await withImage(imageOf([big, lie]));
  // The lie is told when the other layer is half here.
  const ingest = join(world.host.root, "content/ingest", digestOf(big).slice(7));
  world.registry.once(blob, (_, wire) => {
    wire.head(200, { "Content-Length": String(big.length) });
    wire.socket.write(big.subarray(0, 1_000_000));
  });
  world.registry.once(new RegExp(`blobs/${digestOf(lie)}`), async (_, wire) => {
    await until("half is here", () => statSync(ingest, { throwIfNoEntry: false })?.size === 1_000_000);
    wire.reply(200, {}, Buffer.concat([lie.subarray(0, -512), Buffer.alloc(512, 1)]));
  });
  await refusedPull(world.host, world.name, /its bytes have another digest$/);
  expect(await storeIsEmpty(world.host)).toEqual([]);
});

test("429 and 503 with Retry-After are obeyed", async () => {
  await using world = await withImage();
  world.registry.once(/manifests/, (_, wire) => wire.reply(429, { "Retry-After": "1" }, "{}"));
  world.registry.once(blob, (_, wire) => wire.reply(503, { "Retry-After": "1" }, "{}"));
  const start = performance.now();
  await world.host.ok(["pull", "-q", world.name]);
  expect(performance.now() - start).toBeGreaterThan(2000);
});

test("a registry that only fails, or wants an hour: one line", async () => {
  await using world = await withImage();
  world.registry.always(blob, (_, wire) =>
    wire.reply(503, {}, '{"errors":[{"code":"X","message":"out of order"}]}'),
  );
  await refusedPull(world.host, world.name, /^127\.0\.0\.1:\d+ answers 503 \("out of order"\) \(5 times\)$/);
  world.registry.always(/manifests/, (_, wire) => wire.reply(429, { "Retry-After": "3600" }, "{}"));
  await refusedPull(world.host, world.name, /answers 429; it asks to try again in 3600 s$/);
});

test("a registry that is silent, or drips: registry-timeout ends it, and the transfer is resumed", async () => {
  await using world = await withImage();
  userConfig(world.host, "registry-timeout = 0.3\n");
  world.registry.once(blob, (_, wire) => {
    wire.head(200, { "Content-Length": String(big.length) });
    wire.socket.write(big.subarray(0, 400_000));
    let at = 400_000;
    const timer = setInterval(() => wire.socket.write(big.subarray(at, ++at)), 20);
    wire.socket.on("close", () => clearInterval(timer));
  });
  await world.host.ok(["pull", "-q", world.name]);
  const [, second] = world.registry.seen(blob).map(({ headers }) => headers.get("range") ?? "");
  expect(second).toMatch(/^bytes=400\d{3}-$/);
  world.registry.always(/manifests/, () => {});
  await refusedPull(world.host, world.name, /^127\.0\.0\.1:\d+ does not answer within 0\.3 s \(5 times\)$/);
});

test("nobody listens; no such host; not a registry: one line each", async () => {
  await using host = await testHost();
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
  await refusedPull(
    host,
    `127.0.0.1:${port}/x`,
    /^cannot reach 127\.0\.0\.1:\d+: connection refused( \(5 times\))?$/,
  );
  await refusedPull(
    host,
    "no-such-host.invalid/x",
    /^cannot reach no-such-host\.invalid: (no such host|the name cannot be looked up now)/,
  );
  await using web = await FakeRegistry.start();
  web.always(/./, (_, wire) => wire.reply(200, { "Content-Type": "text/html" }, "<html>hello</html>"));
  await refusedPull(host, `${web.host}/x`, /JSON|text\/html/);
  expect(await storeIsEmpty(host)).toEqual([]);
});
