/** What was pushed to `rt registry serve`, or came through it, and is of no use any more: it goes, and somebody says so. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { FakeRegistry, json, type TestImage } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { pushImage } from "../support/registry-push.ts";
import { needs } from "../support/root.ts";
import { type Served, serveRegistry } from "../support/served.ts";
import { until } from "../support/wait.ts";
import { contentOf, fileLayer, imageOf, userConfig } from "./image-world.ts";

const { test } = needs({ root: true });

function descriptor(bytes: Uint8Array, mediaType: string) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** An image for another machine, which is none here. */
function foreignImage(): TestImage {
  const config = json({ os: "linux", architecture: "s390x", rootfs: { type: "layers", diff_ids: [] } });
  return withConfig(config, mediaTypes.ociConfig);
}

function withConfig(config: Uint8Array, type: string, more: object = {}): TestImage {
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor(config, type),
    layers: [],
    ...more,
  };
  const bytes = json(manifest);
  const documents = [{ bytes, mediaType: mediaTypes.ociManifest }];
  return { config, layers: [], blobs: [config], documents, manifestDigest: digestOf(bytes) };
}

/** @param own for this machine */
function indexOf(own: TestImage, foreign: TestImage): TestImage {
  const platform = (architecture: string) => ({ platform: { os: "linux", architecture } });
  const [here, there] = [own.documents.at(-1)!, foreign.documents.at(-1)!];
  const manifests = [
    {
      ...descriptor(here.bytes, here.mediaType),
      ...platform(process.arch === "x64" ? "amd64" : process.arch),
    },
    { ...descriptor(there.bytes, there.mediaType), ...platform("s390x") },
  ];
  const bytes = json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  return {
    ...own,
    blobs: [...own.blobs, ...foreign.blobs],
    documents: [...foreign.documents, ...own.documents, { bytes, mediaType: mediaTypes.ociIndex }],
    manifestDigest: digestOf(bytes),
  };
}

function inDatabase(host: TestHost, sql: string): void {
  using database = new Database(join(host.root, "db.sqlite"));
  database.run("PRAGMA busy_timeout = 10000");
  database.run(sql);
}

const status = (served: Served, path: string) =>
  fetch(`${served.url}/v2/${path}`).then(({ status }) => status);

test("a manifest of two indexes is there as long as one of them is, and goes with the last", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const foreign = foreignImage();
  for (const tag of ["1", "2"])
    await pushImage(served, "a/b", tag, indexOf(imageOf([fileLayer(tag, 100)]), foreign));
  const manifest = `a/b/manifests/${foreign.manifestDigest}`;
  await host.ok(["rmi", "a/b:1"]);
  expect(await status(served, manifest)).toBe(200);
  await host.ok(["rmi", "a/b:2"]);
  expect(await status(served, manifest)).toBe(404);
  expect(contentOf(host)).toEqual([]);
});

test("one that somebody has tagged, or pushed for itself since, stays when its indexes go", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const [tagged, again] = [foreignImage(), withConfig(json({ again: 1 }), "application/vnd.x")];
  const own = imageOf([fileLayer("own", 100)]);
  await pushImage(served, "a/b", "1", indexOf(own, tagged));
  await pushImage(served, "a/b", "arm", tagged);
  await pushImage(served, "a/b", "2", indexOf(own, again));
  await pushImage(served, "a/b", again.manifestDigest, again);
  await host.ok(["rmi", "a/b:1", "a/b:2"]);
  expect(await status(served, `a/b/manifests/arm`)).toBe(200);
  expect(await status(served, `a/b/manifests/${again.manifestDigest}`)).toBe(200);
});

test("prune takes what was pushed under its digest alone, once nobody has asked for it in an hour; not what is about others", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const image = imageOf([fileLayer("x", 100)]);
  await pushImage(served, "a/b", "1", image);
  const artifact = (name: string, more: object = {}) => withConfig(json({ name }), "application/vnd.x", more);
  const subject = descriptor(image.documents.at(-1)!.bytes, mediaTypes.ociManifest);
  const young = artifact("young");
  const old = artifact("old");
  const signature = artifact("signature", { subject });
  const tagged = artifact("tagged");
  for (const each of [young, old, signature]) await pushImage(served, "a/b", each.manifestDigest, each);
  await pushImage(served, "a/b", "tagged", tagged);
  inDatabase(host, `UPDATE repository_manifests SET used = 0 WHERE digest <> '${young.manifestDigest}'`);
  inDatabase(host, "UPDATE repository_blobs SET used = 0");
  const printed = await host.ok(["image", "prune", "-f"]);
  expect(printed).toContain(`deleted: ${old.manifestDigest}\n`);
  const there = await Promise.all(
    [young, old, signature, tagged].map(({ manifestDigest }) =>
      status(served, `a/b/manifests/${manifestDigest}`),
    ),
  );
  expect(there).toEqual([200, 404, 200, 200]);
  expect(contentOf(host)).not.toContain(`blobs/${digestOf(old.config).slice(7)}`);
  // What it was about is gone, and so is what it says of that.
  await host.ok(["rmi", "a/b:1"]);
  inDatabase(host, "UPDATE repository_manifests SET used = 0");
  await host.ok(["image", "prune", "-f"]);
  expect(await status(served, `a/b/manifests/${signature.manifestDigest}`)).toBe(404);
});

test("a DELETE is told as rmi is: a tag, and by the digest all names and the image", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const image = imageOf([fileLayer("x", 100)]);
  for (const tag of ["1", "2"]) await pushImage(served, "team/app", tag, image);
  const id = (await host.ok(["inspect", "-f", "{{.Id}}", "team/app:1"])).trim();
  for (const name of ["1", image.manifestDigest])
    expect((await fetch(`${served.url}/v2/team/app/manifests/${name}`, { method: "DELETE" })).status).toBe(
      202,
    );
  const format = "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}";
  const said = await host.ok(["events", "--since", "1h", "--until", "0s", "--format", format]);
  const gone = said.split("\n").filter((line) => /^(untag|delete) /.test(line));
  expect(gone[0]).toBe(`untag ${id} team/app:1`);
  expect(gone.slice(1, -1).sort()).toEqual(
    [`untag ${id} team/app:2`, `untag ${id} team/app@${image.manifestDigest}`].sort(),
  );
  expect(gone.at(-1)).toBe(`delete ${id} ${id}`);
});

test("store-limit: a push sends away what was used longest ago", async () => {
  await using host = await testHost();
  userConfig(host, 'store-limit = "2500k"\n');
  await using served = await serveRegistry(host, ["-q"]);
  for (const name of ["a", "b", "c"])
    await pushImage(served, name, "1", imageOf([fileLayer(name, 1_000_000)]));
  await until("the first is gone", async () => {
    const names = await host.ok(["images", "--format", "{{.Repository}}"]);
    return names.split("\n").sort().join("") === "bc";
  });
  expect(await status(served, "a/manifests/1")).toBe(404);
  await served.process.stderr.waitFor(/image a:1 was removed: the store is over its limit of 2500k/);
});

test("store-limit: of a mirror that goes first which nobody has asked for longest, and then it is fetched again", async () => {
  await using host = await testHost();
  userConfig(host, 'store-limit = "2500k"\n');
  await using upstream = await FakeRegistry.start();
  await using served = await serveRegistry(host, ["-q", "--upstream", upstream.url]);
  const image = (name: string) => imageOf([fileLayer(name, 1_000_000)]);
  const images = { a: image("a"), b: image("b"), c: image("c") };
  await pushImage(served, "own.example/kept", "1", imageOf([fileLayer("own", 1000)]));
  const blob = (name: "a" | "b" | "c") => `blobs/${digestOf(images[name].layers[0]!).slice(7)}`;
  for (const name of ["a", "b", "c"] as const) {
    upstream.push(`team/${name}`, "1", images[name]);
    inDatabase(host, "UPDATE repository_manifests SET used = used - 3600000");
    expect(await status(served, `team/${name}/manifests/1`)).toBe(200);
    for (const each of images[name].blobs)
      await (await fetch(`${served.url}/v2/team/${name}/blobs/${digestOf(each)}`)).bytes();
  }
  await until("the first is gone", () => !contentOf(host).includes(blob("a")));
  expect(contentOf(host)).toContain(blob("c"));
  expect(contentOf(host)).toContain(blob("b"));
  expect(await host.ok(["images", "--format", "{{.Repository}}"])).toBe("own.example/kept\n");
  expect(await status(served, "team/a/manifests/1")).toBe(200);
});
