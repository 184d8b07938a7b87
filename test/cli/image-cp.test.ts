/** `rt image cp`: from anywhere to anywhere, past the store. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { run } from "../support/command.ts";
import { FakeRegistry, json, tinyImage } from "../support/fake-registry.ts";
import { testHost } from "../support/host.ts";
import { helloLayout } from "../support/images.ts";
import { LayoutWriter } from "../support/layout.ts";
import { ordinaryUser } from "../support/ordinary-user.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { fileLayer } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true, tools: ["docker-registry", "skopeo", "tar"] });

async function manifestAt(registry: Registry, reference: string): Promise<Uint8Array> {
  const [repository, tag] = reference.split(":");
  const headers = { Accept: [mediaTypes.ociIndex, mediaTypes.ociManifest].join(", ") };
  const response = await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, { headers });
  if (!response.ok) throw new Error(`${reference}: ${response.status}`);
  return response.bytes();
}

/** The layout's index.json entry, and the document it leads to. */
function entryOf(layout: string): {
  digest: string;
  manifests: { digest: string; platform?: { architecture: string } }[];
} {
  const [entry] = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests;
  const document = readFileSync(join(layout, "blobs", entry.digest.replace(":", "/")), "utf8");
  return { digest: entry.digest, manifests: JSON.parse(document).manifests ?? [] };
}

test("from registry to registry: the host's manifest, another platform's, or all of it, with the same digests", async () => {
  await using host = await testHost();
  await using from = await startRegistry();
  await using to = await startRegistry();
  const layout = await helloLayout();
  const index = await pushLayout(layout, "latest", from, "hello:1");
  const { manifests } = entryOf(layout);
  const of = (architecture: string) =>
    manifests.find(({ platform }) => platform?.architecture === architecture)!.digest;
  const source = `${from.address}/hello:1`;

  const one = await host.rt(["image", "cp", source, `${to.address}/a/one:1`]);
  expect(one).toMatchObject({ code: 0, stderr: "" });
  expect(one.stdout.split("\n")).toEqual([
    expect.stringMatching(/^[0-9a-f]{12}: Preparing$/),
    expect.stringMatching(/^[0-9a-f]{12}: Pushed$/),
    expect.stringMatching(new RegExp(`^${to.address}/a/one:1: digest: ${of("amd64")} size: \\d+$`)),
    "",
  ]);
  expect(digestOf(await manifestAt(to, "a/one:1"))).toBe(of("amd64") as never);
  await host.ok(["image", "cp", "-q", "--platform", "linux/arm64", source, `${to.address}/arm:1`]);
  expect(digestOf(await manifestAt(to, "arm:1"))).toBe(of("arm64") as never);
  expect(await host.ok(["image", "cp", "-q", "--all", source, `${to.address}/all:1`])).toBe(
    `${to.address}/all:1\n`,
  );
  // The index, with its attestation, byte for byte.
  expect(digestOf(await manifestAt(to, "all:1"))).toBe(index as never);
  const inspected = await run([
    "skopeo",
    "inspect",
    "--raw",
    "--tls-verify=false",
    `docker://${to.address}/all:1`,
  ]);
  expect(digestOf(inspected)).toBe(index as never);
  // Nothing was stored here.
  expect(existsSync(join(host.root, "content"))).toBe(false);
  expect(existsSync(join(host.root, "db.sqlite"))).toBe(false);
}, 240_000);

test("within one registry blobs are mounted and do not travel", async () => {
  await using host = await testHost();
  await using registry = await startRegistry();
  await pushLayout(await helloLayout(), "latest", registry, "hello:1");
  const before = registry.log.text.length;
  const stdout = await host.ok([
    "image",
    "cp",
    "--all",
    `${registry.address}/hello:1`,
    `${registry.address}/copy:1`,
  ]);
  expect(stdout).toContain("Mounted from hello");
  const after = registry.log.text.slice(before);
  expect(after).not.toMatch(/"(PATCH|GET) \/v2\/[a-z]+\/blobs/);
  expect(await manifestAt(registry, "copy:1")).toEqual(await manifestAt(registry, "hello:1"));
}, 120_000);

test("an ordinary user needs no namespace for it", async () => {
  await using user = await ordinaryUser();
  await using registry = await startRegistry();
  await pushLayout(await helloLayout(), "latest", registry, "hello:1");
  await user.ok(["image", "cp", `${registry.address}/hello:1`, `oci:${join(user.home, "out")}:x`]);
  expect(user.processes()).toEqual([]);
  await user.ok(["image", "cp", `oci:${join(user.home, "out")}:x`, `${registry.address}/back:1`]);
  expect(digestOf(await manifestAt(registry, "back:1"))).toBe(
    entryOf(join(user.home, "out")).digest as never,
  );
}, 120_000);

test("artifacts and types that nobody runs are copied as they are", async () => {
  await using host = await testHost();
  await using registry = await startRegistry();
  const dir = join(host.dir, "artifact");
  const layout = new LayoutWriter(dir);
  const config = await layout.blob(new TextEncoder().encode("{}"), "application/vnd.oci.empty.v1+json");
  const layer = await layout.blob(new Uint8Array(100), "application/vnd.example.model");
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: "application/x",
    config,
    layers: [layer],
  };
  layout.tag("model", await layout.json(manifest, mediaTypes.ociManifest));
  await layout.close();
  await host.ok(["image", "cp", `oci:${dir}:model`, `${registry.address}/model:1`]);
  expect(JSON.parse(new TextDecoder().decode(await manifestAt(registry, "model:1")))).toEqual(manifest);
}, 120_000);

/** One layer of three million bytes that do not compress, and its digest. */
async function bigLayout(dir: string): Promise<{ layout: string; layer: string }> {
  const writer = new LayoutWriter(dir);
  const bytes = fileLayer("f", 3_000_000);
  await writer.image("1", { layers: [bytes], compression: "plain" });
  await writer.close();
  return { layout: dir, layer: digestOf(bytes) };
}

test("a source that lies in the middle: nothing of it at the destination, and no manifest", async () => {
  await using host = await testHost();
  await using registry = await startRegistry();
  await using source = await FakeRegistry.start();
  const { layout, layer } = await bigLayout(join(host.dir, "big"));
  const name = await serveLayout(source, layout);
  const lie = Buffer.from(source.blob(layer));
  lie[2_000_000]! ^= 1;
  source.always(new RegExp(`/blobs/${layer}`), (_, wire) => wire.reply(200, {}, lie));
  const out = join(host.dir, "lie");
  for (const destination of [`${registry.address}/lie:1`, `oci:${out}:1`]) {
    const failed = await host.rt(["image", "cp", name, destination]);
    expect(failed.code).toBe(125);
    expect(oneLine(failed.stderr)).toMatch(/digest|something else/i);
  }
  expect((await fetch(`${registry.url}/v2/lie/manifests/1`)).status).toBe(404);
  expect((await fetch(`${registry.url}/v2/lie/blobs/${layer}`)).status).toBe(404);
  expect(existsSync(join(out, "index.json"))).toBe(false);
}, 120_000);

test("a source that is cut in the middle is asked for the rest", async () => {
  await using host = await testHost();
  await using registry = await startRegistry();
  await using source = await FakeRegistry.start();
  const { layout, layer } = await bigLayout(join(host.dir, "big"));
  const name = await serveLayout(source, layout);
  const bytes = source.blob(layer);
  source.once(new RegExp(`/blobs/${layer}`), (_, wire) =>
    wire.cut(200, {}, bytes.length, bytes.subarray(0, 1_000_000)),
  );
  await host.ok(["image", "cp", "-q", name, `${registry.address}/cut:1`]);
  expect(source.seen(new RegExp(`/blobs/${layer}`)).map(({ headers }) => headers.get("range"))).toEqual([
    null,
    expect.stringMatching(/^bytes=[1-9]\d*-$/),
  ]);
  expect(await (await fetch(`${registry.url}/v2/cut/blobs/${layer}`)).bytes()).toEqual(new Uint8Array(bytes));
}, 120_000);

/** @returns its name there */
async function serveLayout(registry: FakeRegistry, layout: string): Promise<string> {
  const read = (digest: string) =>
    new Uint8Array(readFileSync(join(layout, "blobs", digest.replace(":", "/"))));
  const { digest } = entryOf(layout);
  const bytes = read(digest);
  const { config, layers } = JSON.parse(new TextDecoder().decode(bytes));
  const blobs = [config, ...layers].map((each: { digest: string }) => read(each.digest));
  return registry.push("big", "1", {
    ...tinyImage(),
    blobs,
    documents: [{ bytes, mediaType: mediaTypes.ociManifest }],
  });
}

test("a name of this host's own store: how that is sent", async () => {
  await using host = await testHost();
  await using registry = await FakeRegistry.start();
  await host.ok(["pull", "-q", "embed:hello"]);
  await host.ok(["tag", "embed:hello", `${registry.host}/own:1`]);
  const out = `oci:${join(host.dir, "out")}`;
  const { stderr, code } = await host.rt(["image", "cp", `${registry.host}/own:1`, out]);
  expect([code, stderr]).toEqual([
    125,
    expect.stringContaining(`rt push ${registry.host}/own:1 DESTINATION`),
  ]);
  expect(stderr).toContain("has no manifest 1");
  const other = await host.rt(["image", "cp", `${registry.host}/other:1`, out]);
  expect(other.stderr).not.toContain("rt push");
});

test("what cannot be copied says so in one line, before anything is made", async () => {
  await using host = await testHost();
  const layout = `oci:${await helloLayout()}`;
  const odd = join(host.dir, "odd");
  mkdirSync(join(odd, "blobs/sha256"), { recursive: true });
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: `sha512:${"0".repeat(128)}`, size: 5 };
  const index = json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor] });
  writeFileSync(join(odd, "index.json"), index);
  writeFileSync(join(odd, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const out = `oci:${join(host.dir, "out")}:1`;
  const bad: [string[], number, RegExp][] = [
    [["--all", "--platform", "linux/arm64", layout, out], 125, /no meaning/],
    [[layout, "embed:x"], 125, /cannot be written to/],
    [["oci:/nonexistent", out], 125, /no OCI layout/],
    [[`oci:${odd}`, out], 125, /sha512/],
    [["--platform", "plan9/mips", layout, out], 125, /plan9/],
    [[layout, "a/UPPER"], 125, /lowercase|reference/],
    [["docker-daemon:alpine", out], 125, /none of rt's kinds/],
    [[layout], 125, /DESTINATION|argument/],
  ];
  for (const [words, code, message] of bad) {
    const result = await host.rt(["image", "cp", ...words]);
    expect([words, result.code]).toEqual([words, code]);
    expect(result.stderr).toMatch(message);
    expect(result.stdout).toBe("");
  }
  expect(existsSync(join(host.dir, "out"))).toBe(false);
}, 120_000);
