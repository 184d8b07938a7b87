/** Lists of images: made of what is here and of what a registry has, said where they run, shown, and sent. */
import { afterAll, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { FakeRegistry, json, tinyImage, withIndex } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { needs } from "../support/root.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true });

let registry: FakeRegistry;
beforeAll(async () => {
  registry = await FakeRegistry.start();
});
afterAll(async () => registry?.[Symbol.asyncDispose]());

const image = (text: string) => tinyImage([Buffer.from(`layer of ${text}`)]);

function stored(host: TestHost): string[] {
  const directory = join(host.root, "content/blobs/sha256");
  return existsSync(directory) ? readdirSync(directory).map((name) => `sha256:${name}`) : [];
}

interface ListDocument {
  mediaType: string;
  manifests: { digest: string; mediaType: string; size: number; platform: Record<string, unknown> }[];
}

async function inspected(host: TestHost, ...argv: string[]): Promise<ListDocument> {
  return JSON.parse(await host.ok(["manifest", "inspect", ...argv])) as ListDocument;
}

test("a list is made of a registry's images, annotated, amended, shown and removed", async () => {
  await using host = await testHost();
  const [one, two] = [image("one"), image("two")];
  const [a, b] = [registry.push("team/a", "1", one), registry.push("team/b", "1", two)];
  const list = `${registry.host}/team/list:1`;
  expect(await host.ok(["manifest", "create", list, a])).toBe(`Created manifest list ${list}\n`);
  const again = await host.rt(["manifest", "create", list, b]);
  expect(oneLine(again.stderr)).toContain("refusing to amend an existing manifest list with no --amend flag");
  expect(again.code).toBe(1);
  await host.ok(["manifest", "create", "--amend", list, b]);
  const arm = ["--arch", "arm", "--variant", "v6", "--os-version", "7", "--os-features", "x,y"];
  await host.ok(["manifest", "annotate", ...arm, list, b]);
  await host.ok(["manifest", "annotate", "--os-features", "y,z", list, b]);
  const shown = await inspected(host, list);
  expect(shown.mediaType).toBe(mediaTypes.dockerIndex);
  expect(shown.manifests).toEqual([
    {
      mediaType: mediaTypes.dockerManifest,
      size: one.documents[0]!.bytes.length,
      digest: one.manifestDigest,
      platform: { architecture: "amd64", os: "linux" },
    },
    {
      mediaType: mediaTypes.dockerManifest,
      size: two.documents[0]!.bytes.length,
      digest: two.manifestDigest,
      platform: {
        ...{ architecture: "arm", os: "linux", "os.version": "7" },
        ...{ "os.features": ["x", "y", "z"], variant: "v6" },
      },
    },
  ]);
  expect(JSON.parse(await host.ok(["manifest", "inspect", list, b]))).toEqual(
    JSON.parse(Buffer.from(two.documents[0]!.bytes).toString()),
  );
  const verbose = JSON.parse(await host.ok(["manifest", "inspect", "-v", list])) as Record<string, unknown>[];
  expect(verbose.map(({ Ref }) => Ref)).toEqual([a, b]);
  expect(stored(host).sort()).toEqual([one.manifestDigest, two.manifestDigest].sort() as string[]);
  expect(await host.ok(["manifest", "rm", list])).toBe("");
  expect(stored(host)).toEqual([]);
  const gone = await host.rt(["manifest", "rm", list]);
  expect(oneLine(gone.stderr)).toBe(`No such manifest: ${list}`);
  expect(gone.code).toBe(1);
});

test("push: what the list names and the list itself, bytes as they are shown; --purge", async () => {
  await using host = await testHost();
  const [one, two] = [image("three"), image("four")];
  const [a, b] = [registry.push("team/c", "1", one), registry.push("other/d", "1", two)];
  const list = `${registry.host}/team/list:2`;
  await host.ok(["manifest", "create", list, a, b]);
  await host.ok(["manifest", "annotate", "--arch", "arm64", list, b]);
  const text = (await host.ok(["manifest", "inspect", list])).trimEnd();
  const directory = join(host.dir, "layout");
  const printed = await host.ok(["manifest", "push", "--purge", list, `oci:${directory}:x`]);
  expect(printed).toBe(`${digestOf(Buffer.from(text))}\n`);
  const blob = (digest: string) => readFileSync(join(directory, "blobs/sha256", digest.slice(7)));
  expect(blob(printed.trim()).toString()).toBe(text);
  for (const { documents, blobs } of [one, two])
    for (const bytes of [documents[0]!.bytes, ...blobs])
      expect(blob(digestOf(bytes))).toEqual(Buffer.from(bytes));
  expect((await host.rt(["manifest", "push", list])).stderr).toBe(`rt: No such manifest: ${list}\n`);
  expect(stored(host)).toEqual([]);
});

test("an image that is here needs no registry, and stays for the list when it is removed", async () => {
  await using host = await testHost();
  await host.ok(["run", "--name", "over", "--network", "none", "embed:hello", "args"]);
  await host.ok(["commit", "over", "local/plain"]);
  await host.ok(["rm", "over"]);
  const packed = `oci:${join(host.dir, "packed")}:x`;
  await host.ok(["push", "--compression", "gzip", "local/plain", packed]);
  await host.ok(["rmi", "local/plain"]);
  await host.ok(["tag", (await host.ok(["pull", "-q", packed])).trim(), "local/app:1"]);
  await host.ok(["manifest", "create", "local/list", "local/app:1"]);
  await host.ok(["rmi", "-f", (await host.ok(["images", "-q", "local/app:1"])).trim(), "embed:hello"]);
  expect((await host.ok(["images", "-aq"])).trim()).toBe("");
  const directory = join(host.dir, "layout");
  await host.ok(["manifest", "push", "local/list", `oci:${directory}:x`]);
  await host.ok(["pull", "-q", `oci:${directory}:x`]);
  await host.ok(["manifest", "rm", "local/list"]);
});

test("what is here for a list stays though it is removed while the next image is asked for", async () => {
  await using host = await testHost();
  const packed = `oci:${join(host.dir, "packed")}:x`;
  await host.ok(["pull", "-q", "embed:hello"]);
  await host.ok(["push", "--compression", "gzip", "embed:hello", packed]);
  await host.ok(["rmi", "embed:hello"]);
  const here = "local/here:1";
  await host.ok(["tag", (await host.ok(["pull", "-q", packed])).trim(), here]);
  const there = registry.push("team/there", "1", image("there"));
  registry.once(/GET .*\/team\/there\/manifests\//, async (_, wire) => {
    await host.ok(["rmi", "-f", (await host.ok(["images", "-q", here])).trim()]);
    await host.ok(["image", "prune", "-af"]);
    const { bytes, mediaType } = image("there").documents[0]!;
    wire.reply(200, { "Content-Type": mediaType }, bytes);
  });
  const before = stored(host).length;
  expect(before).toBeGreaterThan(0);
  await host.ok(["manifest", "create", "x/list", here, there]);
  expect(await host.ok(["images", "-q"])).toBe("");
  expect(stored(host)).toHaveLength(before + 1);
  await host.ok(["manifest", "push", "x/list", `oci:${join(host.dir, "pushed")}:x`]);
});

test("inspect of a registry's manifest and index: their own bytes, on lines as docker has them", async () => {
  await using host = await testHost();
  const single = image("five");
  const name = registry.push("team/e", "1", single);
  const out = await host.ok(["manifest", "inspect", name]);
  expect(out).toBe(
    `${JSON.stringify(JSON.parse(Buffer.from(single.documents[0]!.bytes).toString()), null, "\t")}\n`,
  );
  const verbose = JSON.parse(await host.ok(["manifest", "inspect", "--verbose", name]));
  expect(verbose).toEqual({
    Ref: name,
    Descriptor: {
      mediaType: mediaTypes.dockerManifest,
      digest: single.manifestDigest,
      size: single.documents[0]!.bytes.length,
      platform: { architecture: "amd64", os: "linux" },
    },
    Raw: Buffer.from(single.documents[0]!.bytes).toString("base64"),
    SchemaV2Manifest: JSON.parse(Buffer.from(single.documents[0]!.bytes).toString()),
  });
  const index = withIndex(image("six"), ["amd64", "arm64/v8"]);
  const many = registry.push("team/f", "1", index);
  expect(await host.ok(["manifest", "inspect", many])).toStartWith(
    '{\n   "schemaVersion": 2,\n   "mediaType": ',
  );
  const all = JSON.parse(await host.ok(["manifest", "inspect", "-v", many])) as Record<string, unknown>[];
  expect(all.map(({ Ref }) => Ref)).toEqual(Array(3).fill(`${many}@${index.manifestDigest}`));
  expect(existsSync(host.root) ? stored(host) : []).toEqual([]);
});

const wrong: [string, string[], RegExp][] = [
  [
    "a list in a list",
    ["create", "x/list", "LIST"],
    /is a manifest list itself: name its images by their digests/,
  ],
  ["no such image", ["create", "x/list", "NONE"], /has no manifest/],
  ["a list's name with a digest", ["create", `x@sha256:${"0".repeat(64)}`, "ONE"], /it has a digest/],
  [
    "no such list",
    ["annotate", "--os", "linux", "x/list", "ONE"],
    /No such manifest: docker.io\/x\/list:latest$/,
  ],
  ["no such list to push", ["push", "x/list"], /No such manifest/],
  ["a name that is none", ["inspect", "X:Y:Z"], /invalid reference format/],
];
for (const [what, argv, line] of wrong) {
  test(`${what}: one line, and nothing is kept`, async () => {
    await using host = await testHost();
    const names: Record<string, string> = {
      LIST: registry.push("team/g", "1", withIndex(image("seven"), ["amd64"])),
      ONE: registry.push("team/h", "1", image("eight")),
      NONE: `${registry.host}/team/nosuch:1`,
    };
    const { code, stdout, stderr } = await host.rt(["manifest", ...argv.map((word) => names[word] ?? word)]);
    expect(oneLine(stderr)).toMatch(line);
    expect([stdout, code]).toEqual(["", 1]);
    expect(stored(host)).toEqual([]);
    expect((await host.rt(["manifest", "rm", "x/list"])).code).toBe(1);
  });
}

test("an entry is in the list, and of a platform that there is", async () => {
  await using host = await testHost();
  const [a, b] = [registry.push("team/i", "1", image("nine")), registry.push("team/j", "1", image("ten"))];
  await host.ok(["manifest", "create", "x/list", a]);
  const other = await host.rt(["manifest", "annotate", "--os", "linux", "x/list", b]);
  expect(oneLine(other.stderr)).toBe(`manifest for image ${b} does not exist in x/list`);
  const odd = await host.rt(["manifest", "annotate", "--arch", "z80", "x/list", a]);
  expect(oneLine(odd.stderr)).toBe("manifest entry for image has unsupported os/arch combination: linux/z80");
  expect((await inspected(host, "x/list")).manifests[0]!.platform).toEqual({
    architecture: "amd64",
    os: "linux",
  });
});

test("what a registry says of a manifest is not believed", async () => {
  await using host = await testHost();
  const lie = image("eleven");
  const name = registry.push("team/k", "1", lie);
  const bad = Buffer.from(lie.config).toString().replace("amd64", "arm64");
  registry.always(new RegExp(`/team/k/blobs/${digestOf(lie.config)}`), (_, wire) => wire.reply(200, {}, bad));
  const { code, stderr } = await host.rt(["manifest", "create", "x/list", name]);
  expect(oneLine(stderr)).toMatch(/refused$/);
  expect(code).toBe(1);
  const deep = `${'{"schemaVersion":2,"a":'.repeat(200)}1${"}".repeat(200)}`;
  registry.always(/\/team\/l\//, (_, wire) => wire.reply(200, { "Content-Type": mediaTypes.ociIndex }, deep));
  const nested = await host.rt(["manifest", "inspect", `${registry.host}/team/l:1`]);
  expect(oneLine(nested.stderr)).toContain("nested more than 32 levels deep");
  registry.always(/\/team\/m\//, (_, wire) =>
    wire.reply(200, { "Content-Type": mediaTypes.ociIndex }, json({ schemaVersion: 2, manifests: [5] })),
  );
  const types = await host.rt(["manifest", "inspect", `${registry.host}/team/m:1`]);
  expect(oneLine(types.stderr)).toContain("manifests[0] is number: want an object");
});
