/**
 * What the tests of images share: what of a store can be seen from outside, a registry's access log, and images that are
 * small enough to be served by the fake registry and still unpack.
 */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { FakeRegistry, type TestImage, tinyImage } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import type { Registry } from "../support/registry.ts";
import { archive } from "../support/tar.ts";
import { oneLine } from "./world.ts";

/** Files below content/: "blobs/<hex>" and "ingest/<hex>", sorted. */
export function contentOf(host: TestHost): string[] {
  return [
    ...below(join(host.root, "content/blobs/sha256")).map((hex) => `blobs/${hex}`),
    ...below(join(host.root, "content/ingest")).map((name) => `ingest/${name}`),
  ];
}

/** What is committed or being made in the snapshots of any driver: "overlay/committed/<hex>". */
export function snapshotsOf(host: TestHost): string[] {
  const root = join(host.root, "snapshots");
  const places = ["overlay", "copy"].flatMap((driver) =>
    ["committed", "tmp", "active"].map((kind) => join(driver, kind)),
  );
  return places.flatMap((place) => below(join(root, place)).map((name) => join(place, name)));
}

function below(path: string): string[] {
  return existsSync(path) ? readdirSync(path).sort() : [];
}

/** Nothing of any image: neither to be seen nor on disk. */
export async function storeIsEmpty(host: TestHost): Promise<string[]> {
  const images = (await host.ok(["images", "-aq"])).split("\n").filter(Boolean);
  return [...images, ...contentOf(host), ...snapshotsOf(host)];
}

/** GETs of blobs that a real registry has answered, by digest, from its access log. */
export function blobDownloads(registry: Registry): string[] {
  const lines = registry.log.text.matchAll(
    /"GET \/v2\/[^ "]+\/blobs\/(sha256:[0-9a-f]{64}) HTTP[^"]*" 20[06]/g,
  );
  return [...lines].map(([, digest]) => digest!);
}

/** A plain tar layer with one file, `length` bytes that do not compress. */
export function fileLayer(name: string, length: number): Uint8Array {
  const content = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(content.subarray(at, Math.min(length, at + 65_536)));
  }
  return archive({ name, content });
}

/** An image of plain layers, or of layers in another compression whose diffIDs are given. */
export function imageOf(
  layers: Uint8Array[],
  diffIDs: string[] = layers.map((layer) => digestOf(layer)),
): TestImage {
  const platform = { architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux" };
  const config = Buffer.from(
    JSON.stringify({ ...platform, rootfs: { type: "layers", diff_ids: diffIDs }, config: { Cmd: ["/x"] } }),
  );
  const image = tinyImage(layers, (manifest) => ({
    ...manifest,
    config: { mediaType: mediaTypes.dockerConfig, digest: digestOf(config), size: config.length },
  }));
  return { ...image, config, blobs: [config, ...layers] };
}

export interface ServedImage extends AsyncDisposable {
  host: TestHost;
  registry: FakeRegistry;
  /** Of the image, in that registry. */
  name: string;
}

/** A host, and a registry of one image that does what a test tells it to. */
export async function servedImage(image: TestImage): Promise<ServedImage> {
  const stack = new AsyncDisposableStack();
  const host = stack.use(await testHost());
  const registry = stack.use(await FakeRegistry.start());
  const name = registry.push("team/app", "1", image);
  return { host, registry, name, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** The user's config.toml; answers its path. */
export function userConfig(host: TestHost, text: string): string {
  const dir = join(host.env.XDG_CONFIG_HOME!, "rt");
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "config.toml"), text);
  return join(dir, "config.toml");
}

/** `rt pull`, which must end with 125 and this one line. */
export async function refusedPull(host: TestHost, name: string, line: RegExp): Promise<void> {
  const { code, stderr } = await host.rt(["pull", "-q", name]);
  expect(oneLine(stderr)).toMatch(line);
  expect(code).toBe(125);
}
