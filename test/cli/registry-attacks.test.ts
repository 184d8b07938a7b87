/** `rt registry serve` and who means it ill: what is pushed may not lead to what is another's, nor hide it, nor stop all others. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { testHost } from "../support/host.ts";
import { pushBlob, pushImage } from "../support/registry-push.ts";
import { needs } from "../support/root.ts";
import { type Served, serveRegistry } from "../support/served.ts";
import { fileLayer, imageOf } from "./image-world.ts";

const { test } = needs({ root: true });

function put(served: Served, path: string, document: object & { mediaType: string }): Promise<Response> {
  const headers = { "Content-Type": document.mediaType };
  return fetch(`${served.url}/v2/${path}`, { method: "PUT", headers, body: JSON.stringify(document) });
}

function descriptor(bytes: Uint8Array, mediaType: string) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** An image of one layer, whatever that is. */
function imageWith(layer: object) {
  const config = imageOf([], [digestOf("layer")]).config!;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor(config, mediaTypes.ociConfig),
    layers: [layer],
  };
  return { config, manifest };
}

test("a layer that is said to be licensed elsewhere gives nobody another repository's blob", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const secret = fileLayer("secret", 1000);
  await pushImage(served, "theirs/private", "1", imageOf([secret]));
  const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const { config, manifest } = imageWith(descriptor(secret, foreign));
  await pushBlob(served, "mine/own", config);
  expect((await put(served, "mine/own/manifests/1", manifest)).status).toBe(201);
  expect((await fetch(`${served.url}/v2/mine/own/blobs/${digestOf(secret)}`)).status).toBe(404);
});

test("a size that a blob has not is refused: the store's budget would go by it", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const layer = fileLayer("x", 100);
  const lie = { ...descriptor(layer, mediaTypes.ociLayerTar), size: 2 ** 50 };
  const { config, manifest } = imageWith(lie);
  await pushBlob(served, "a/b", config);
  await pushBlob(served, "a/b", layer);
  const answer = await put(served, "a/b/manifests/1", manifest);
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("MANIFEST_INVALID")]);
  expect(await host.ok(["images", "-q"])).toBe("");
});

test("who calls another image's manifest a layer does not hide that", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  writeFileSync(join(host.dir, "root.tar"), fileLayer("x", 100));
  await host.ok(["import", join(host.dir, "root.tar"), "honest:1"]);
  const got = await fetch(`${served.url}/v2/honest/manifests/1`);
  const bytes = await got.bytes();
  await host.ok(["save", "-o", join(host.dir, "honest.tar"), "honest:1"]);
  await host.ok(["rmi", "honest:1"]);
  const { config, manifest } = imageWith(descriptor(bytes, mediaTypes.ociLayerTar));
  for (const blob of [bytes, config]) await pushBlob(served, "evil", blob);
  expect((await put(served, "evil/manifests/1", manifest)).status).toBe(201);
  await host.ok(["load", "-i", join(host.dir, "honest.tar")]);
  expect((await fetch(`${served.url}/v2/honest/manifests/${digestOf(bytes)}`)).status).toBe(200);
  expect((await fetch(`${served.url}/v2/honest/manifests/1`)).status).toBe(200);
});

test("indexes that name one another a thousand times over keep nobody waiting", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  const image = imageOf([fileLayer("x", 100)]);
  await pushImage(served, "a/b", "below", image);
  const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
  let below: object = { ...descriptor(image.documents.at(-1)!.bytes, mediaTypes.dockerManifest), platform };
  for (const tag of ["1", "2", "3"]) {
    const index = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: new Array<object>(1000).fill(below),
    };
    expect((await put(served, `a/b/manifests/${tag}`, index)).status).toBe(201);
    below = { ...descriptor(Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex), platform };
  }
  const answer = await fetch(`${served.url}/v2/a/b/manifests/3`, { signal: AbortSignal.timeout(60_000) });
  expect(answer.headers.get("docker-content-digest")).toBe((below as { digest: string }).digest);
}, 120_000);

test("long annotations make no list of referrers that does not fit into memory", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const config = Buffer.from("{}");
  await pushBlob(served, "a/b", config);
  const subject = descriptor(Buffer.from("whatever"), mediaTypes.ociManifest);
  for (let i = 0; i < 60; i++) {
    const manifest = {
      ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest, subject, layers: [] },
      config: descriptor(config, "application/vnd.x"),
      annotations: { long: `${i} ${"x".repeat(3 << 20)}` },
    };
    const digest = digestOf(JSON.stringify(manifest));
    expect((await put(served, `a/b/manifests/${digest}`, manifest)).status).toBe(201);
  }
  const memory = () => {
    const status = readFileSync(`/proc/${served.process.pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024;
  };
  const before = memory();
  const seen = new Set<string>();
  let next: string | undefined = `/v2/a/b/referrers/${subject.digest}`;
  while (next && seen.size < 5) {
    const answer: Response = await fetch(served.url + next);
    const { manifests } = (await answer.json()) as { manifests: { digest: string }[] };
    for (const { digest } of manifests) seen.add(digest);
    next = /^<([^>]+)>/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  expect(seen.size).toBe(5);
  expect(memory() - before).toBeLessThan(100);
}, 120_000);

test("what is asked for in vain is not looked for in all that was pushed there", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const image = imageOf([fileLayer("x", 100)]);
  await pushImage(served, "a/b", image.manifestDigest, image);
  const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
  const entry = { ...descriptor(image.documents.at(-1)!.bytes, mediaTypes.dockerManifest), platform };
  for (let i = 0; i < 8; i++) {
    const annotations = { long: `${i} ${"x".repeat(2 << 20)}` };
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry], annotations };
    expect((await put(served, `a/b/manifests/${i}`, index)).status).toBe(201);
  }
  const read = () => {
    const text = readFileSync(`/proc/${served.process.pid}/io`, "utf8");
    return Number(/rchar: (\d+)/.exec(text)![1]);
  };
  const before = read();
  for (let i = 0; i < 10; i++)
    expect((await fetch(`${served.url}/v2/a/b/blobs/${digestOf(`no ${i}`)}`)).status).toBe(404);
  expect(read() - before).toBeLessThan(1 << 20);
});

test("an image that is removed while its tag is put is recorded again; time and again, and it is a conflict", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  for (const [tag, times, status] of [
    ["once", 1, 201],
    ["often", 100, 409],
  ] as const) {
    const image = imageOf([fileLayer(tag, 100)]);
    for (const blob of image.blobs) await pushBlob(served, "a/b", blob);
    using database = new Database(join(host.root, "db.sqlite"));
    database.run("PRAGMA busy_timeout = 10000");
    database.run(`CREATE TABLE removed_${tag} (n INTEGER)`);
    // Between the image's own transaction and the next one: as `rt rmi -f` of another process.
    database.run(`CREATE TRIGGER remove_${tag} AFTER INSERT ON tags
      WHEN NEW.name LIKE '%@%' AND (SELECT count(*) FROM removed_${tag}) < ${times}
      BEGIN INSERT INTO removed_${tag} VALUES (1); DELETE FROM images WHERE id = NEW.image; END`);
    const { bytes, mediaType } = image.documents.at(-1)!;
    const url = `${served.url}/v2/a/b/manifests/${tag}`;
    const answer = await fetch(url, { method: "PUT", headers: { "Content-Type": mediaType }, body: bytes });
    expect([answer.status, await answer.text()]).toEqual([
      status,
      status === 201 ? "" : expect.stringContaining('"errors"'),
    ]);
    expect((await fetch(url)).status).toBe(status === 201 ? 200 : 404);
    database.run(`DROP TRIGGER remove_${tag}`);
    database.run(`DROP TABLE removed_${tag}`);
  }
});
