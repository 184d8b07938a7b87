/** Images from files: layouts and archives as skopeo writes them, and as nobody honest would. */
import { afterAll, expect } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { testHost } from "../support/host.ts";
import { busyboxLayout, helloLayout } from "../support/images.ts";
import { LayoutWriter } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive } from "../support/tar.ts";
import { contentOf, fileLayer, snapshotsOf, storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["skopeo", "tar", "busybox"] });

let dir: string;
let busybox: string;
let files: Record<"ociArchive" | "dockerArchive" | "ociDir", string>;

beforeAll(async () => {
  dir = await mkdtemp(join(scratchDirectory(), "rt-sources-"));
  busybox = await busyboxLayout();
  files = {
    ociArchive: join(dir, "busybox-oci.tar"),
    dockerArchive: join(dir, "busybox-docker.tar"),
    ociDir: join(dir, "skopeo-layout"),
  };
  const copy = (to: string) =>
    run(["skopeo", "--insecure-policy", "copy", "--quiet", `oci:${busybox}:latest`, to]);
  await copy(`oci-archive:${files.ociArchive}:v1`);
  await copy(`docker-archive:${files.dockerArchive}:example.org/team/busybox:v2`);
  await copy(`oci:${files.ociDir}:v3`);
}, 240_000);

afterAll(async () => {
  if (dir) await rm(dir, { recursive: true, force: true });
});

const sources: [string, () => string, string][] = [
  ["oci:DIR:TAG of skopeo", () => `oci:${files.ociDir}:v3`, "localhost/skopeo-layout:v3"],
  ["oci:DIR with one image", () => `oci:${files.ociDir}`, "localhost/skopeo-layout:v3"],
  ["oci-archive:FILE", () => `oci-archive:${files.ociArchive}`, "localhost/busybox-oci:v1"],
  ["oci-archive:FILE:TAG", () => `oci-archive:${files.ociArchive}:v1`, "localhost/busybox-oci:v1"],
  ["docker-archive:FILE", () => `docker-archive:${files.dockerArchive}`, "example.org/team/busybox:v2"],
  [
    "docker-archive:FILE:REF",
    () => `docker-archive:${files.dockerArchive}:example.org/team/busybox:v2`,
    "example.org/team/busybox:v2",
  ],
  ["docker-archive:FILE:@N", () => `docker-archive:${files.dockerArchive}:@0`, "example.org/team/busybox:v2"],
];
for (const [what, source, name] of sources) {
  test(`${what}: pulled, named, run`, async () => {
    await using host = await testHost();
    const lines = (await host.ok(["pull", source()])).trimEnd().split("\n");
    expect(lines[0]).toBe(`Pulling from ${source()}`);
    expect(lines.at(-1)).toBe(name);
    expect(lines.at(-2)).toBe(`Status: Downloaded newer image for ${name.replace(":latest", "")}`);
    expect(await host.ok(["run", "--rm", name, "echo", "it runs"])).toBe("it runs\n");
    expect(await host.ok(["run", "--rm", source(), "echo", "by source"])).toBe("by source\n");
    // The same image whatever it came in: an image ID is its config's digest.
    const [image] = JSON.parse(await host.ok(["image", "inspect", name]));
    expect(image.RepoDigests).toEqual([]);
    expect(await host.ok(["pull", source()])).toContain("Status: Image is up to date");
  });
}

test("an index in a layout, by platform", async () => {
  await using host = await testHost();
  const source = `oci:${await helloLayout()}`;
  await host.ok(["pull", "-q", "--platform", "linux/arm64", source]);
  expect(await host.ok(["image", "inspect", "-f", "{{.Architecture}}", "localhost/layout"])).toBe("arm64\n");
  const { stderr, code } = await host.rt(["pull", "--platform", "linux/mips", source]);
  expect(oneLine(stderr)).toContain("has no image for linux/mips: it has linux/arm64/v8, linux/amd64");
  expect(code).toBe(125);
});

/** What is refused: how it is made, and what the line says. */
const wrong: [string, (place: string) => string, RegExp][] = [
  ["a directory that is not there", (place) => `oci:${place}/none`, /none\/oci-layout does not exist$/],
  ["an empty directory", (place) => `oci:${place}`, /oci-layout does not exist$/],
  ["a file that is not there", (place) => `oci-archive:${place}/none.tar`, /none\.tar does not exist$/],
  ["a directory as an archive", (place) => `docker-archive:${place}`, /is not a regular file: refused$/],
  ["no path", () => "oci:", /^oci: wants a path/],
  ["a tag that is not there", () => `oci:${files.ociDir}:none`, /none/],
  [
    "a reference that is not there",
    () => `docker-archive:${files.dockerArchive}:other:1`,
    /no such image in the archive; it has example\.org\/team\/busybox:v2$/,
  ],
  [
    "garbage",
    (place) => written(place, crypto.getRandomValues(new Uint8Array(60_000))),
    /is not a tar archive, or damaged$/,
  ],
  ["zeros", (place) => written(place, new Uint8Array(60_000)), /is an empty tar$/],
  ["an empty file", (place) => written(place, new Uint8Array()), /is empty: want an archive of images$/],
  [
    "a compressed archive",
    (place) => written(place, Bun.gzipSync(new Uint8Array(60_000))),
    /is compressed: decompress it first$/,
  ],
  [
    "a tar of something else",
    (place) => written(place, archive({ name: "x", content: "x" })),
    /"oci-layout" does not exist$/,
  ],
  ["a cut archive", (place) => cut(place, 0.5), /is cut short$/],
  ["a fifo", (place) => fifo(place), /is not a regular file: refused$/],
];

function written(place: string, bytes: Uint8Array): string {
  writeFileSync(join(place, "file.tar"), bytes);
  return `oci-archive:${place}/file.tar`;
}

function cut(place: string, part: number): string {
  const path = join(place, "cut.tar");
  copyFileSync(files.ociArchive, path);
  truncateSync(path, Math.floor(readFileSync(path).length * part));
  return `oci-archive:${path}`;
}

function fifo(place: string): string {
  Bun.spawnSync(["mkfifo", join(place, "fifo")]);
  return `oci-archive:${place}/fifo`;
}

for (const [what, make, line] of wrong) {
  test(`${what}: one line, and nothing stored`, async () => {
    await using host = await testHost();
    const place = join(host.dir, "place");
    mkdirSync(place);
    const { code, stderr } = await host.rt(["pull", make(place)]);
    expect(oneLine(stderr)).toMatch(line);
    expect(code).toBe(125);
    expect(await storeIsEmpty(host)).toEqual([]);
  });
}

/** A layout of one small image in `place`, and the path of its only layer. */
async function layout(place: string): Promise<{ path: string; layer: string }> {
  const path = join(place, "layout");
  const writer = new LayoutWriter(path);
  const layer = fileLayer("file", 100_000);
  await writer.image("latest", { layers: [layer], compression: "plain" });
  await writer.close();
  const hex = new Bun.CryptoHasher("sha256").update(layer).digest("hex");
  return { path, layer: join(path, "blobs/sha256", hex) };
}

const hostile: [string, (made: { path: string; layer: string }) => void, RegExp][] = [
  [
    "a layer that is a link to a file of the host",
    ({ layer }) => link(layer, "/etc/passwd"),
    /is a symbolic link: refused$/,
  ],
  [
    "an index that is a link",
    ({ path }) => link(join(path, "index.json"), "/etc/passwd"),
    /is a symbolic link: refused$/,
  ],
  [
    "a layer of another length",
    ({ layer }) => truncateSync(layer, 99_999),
    /has 99999 bytes where its descriptor says \d+: refused$/,
  ],
  ["a layer with a flipped bit", ({ layer }) => flip(layer), /was refused: its bytes have another digest$/],
  [
    "a layer that is a fifo",
    ({ layer }) => {
      rmSync(layer);
      Bun.spawnSync(["mkfifo", layer]);
    },
    /is not a regular file: refused$/,
  ],
  [
    "a digest that leads out",
    ({ path }) => edit(path, (text) => text.replace(/sha256:[0-9a-f]{64}/, "sha256:../../../../etc/passwd")),
    /digest/,
  ],
  [
    "a media type that is none of an image",
    ({ path }) =>
      edit(path, (text) => text.replace(/"mediaType":"[^"]*manifest[^"]*"/, '"mediaType":"text/html"')),
    /text\/html/,
  ],
  [
    "another version",
    ({ path }) => writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"9.0.0"}'),
    /version 9\.0\.0: rt knows 1\.0\.0$/,
  ],
  ["an index that is not JSON", ({ path }) => writeFileSync(join(path, "index.json"), "{"), /index\.json/],
  [
    "an index 100,000 deep",
    ({ path }) =>
      writeFileSync(join(path, "index.json"), `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    /index\.json.*deep/,
  ],
  [
    "an index of 5 MiB",
    ({ path }) => writeFileSync(join(path, "index.json"), " ".repeat(5 << 20)),
    /index\.json.*4194304/,
  ],
];

test("a layout without one of its layers: what is there is kept for when it is whole, and cannot be seen", async () => {
  await using host = await testHost();
  const made = await layout(host.dir);
  const bytes = readFileSync(made.layer);
  rmSync(made.layer);
  const { code, stderr } = await host.rt(["pull", `oci:${made.path}`]);
  expect(oneLine(stderr)).toMatch(/blobs\/sha256\/[0-9a-f]{64} does not exist$/);
  expect(code).toBe(125);
  expect(await host.ok(["images", "-aq"])).toBe("");
  expect(contentOf(host).filter((path) => path.startsWith("ingest/"))).toEqual([]);
  expect(snapshotsOf(host)).toEqual([]);
  writeFileSync(made.layer, bytes);
  await host.ok(["pull", `oci:${made.path}`]);
});

function link(path: string, to: string): void {
  rmSync(path);
  symlinkSync(to, path);
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[50_000]! ^= 1;
  writeFileSync(path, bytes);
}

function edit(path: string, change: (text: string) => string): void {
  const index = join(path, "index.json");
  const text = readFileSync(index, "utf8");
  expect(change(text)).not.toBe(text);
  writeFileSync(index, change(text));
}

for (const [what, spoil, line] of hostile) {
  test(`a hostile layout, ${what}: one line, and nothing stored`, async () => {
    await using host = await testHost();
    const made = await layout(host.dir);
    spoil(made);
    const { code, stderr } = await host.rt(["pull", `oci:${made.path}`]);
    expect(oneLine(stderr)).toMatch(line);
    expect(code).toBe(125);
    expect(await storeIsEmpty(host)).toEqual([]);
  });
}
