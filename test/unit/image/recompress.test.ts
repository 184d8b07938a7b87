import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { RtError } from "../../../src/base/errors.ts";
import { formChoice } from "../../../src/content/compress.ts";
import { ContentStore } from "../../../src/content/content-store.ts";
import {
  type RecompressContext,
  RecompressedSource,
  type Recompression,
} from "../../../src/image/recompress.ts";
import type { LayerCompression } from "../../../src/oci/compression.ts";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import type { RawDocument } from "../../../src/oci/manifest.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { resolveImage } from "../../../src/source/resolve.ts";
import type { Source } from "../../../src/source/source.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { archive } from "../../support/tar.ts";

const oci = "application/vnd.oci.image";
const docker = "application/vnd.docker";

/** A source in memory: blobs by digest, and a document that its name leads to. */
class MemorySource implements Source {
  readonly name = "memory:x";
  readonly reference = "";
  readonly blobs = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  top!: { bytes: Uint8Array; contentType: string };
  closed = 0;

  put(bytes: Uint8Array | string): { digest: Digest; size: number } {
    const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    this.blobs.set(digestOf(all), all);
    return { digest: digestOf(all), size: all.length };
  }

  json(mediaType: string, value: object): { mediaType: string; digest: Digest; size: number } {
    const text = JSON.stringify({ schemaVersion: 2, mediaType, ...value });
    this.top = { bytes: Buffer.from(text), contentType: mediaType };
    return { mediaType, ...this.put(text) };
  }

  async root(): Promise<RawDocument> {
    return this.top;
  }

  async document(entry: Descriptor): Promise<RawDocument> {
    return { bytes: this.blobs.get(entry.digest)!, contentType: entry.mediaType };
  }

  resolve(platform: ReturnType<typeof parsePlatform>) {
    return resolveImage(this, this.top, (entry) => this.document(entry), platform);
  }

  async *fetch(blob: Descriptor, offset: number): AsyncGenerator<Uint8Array> {
    this.asked.push(blob.digest);
    const bytes = this.blobs.get(blob.digest)!.subarray(offset);
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

const tars = ["one", "two", "three"].map((text) =>
  archive({ name: text, content: text.repeat(20_000) }, { name: `${text}-2` }),
);
const stored: Record<LayerCompression, (tar: Uint8Array) => Uint8Array> = {
  gzip: (tar) => gzipSync(tar, { level: 3 }),
  zstd: (tar) => zstdCompressSync(tar),
  tar: (tar) => tar,
};
const opened: typeof stored = { gzip: gunzipSync, zstd: zstdDecompressSync, tar: (tar) => tar };

let directory: string;
let content: ContentStore;
const warnings: string[] = [];
const sources: RecompressedSource[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(scratchDirectory(), "rt-recompress-"));
  content = new ContentStore(directory);
  warnings.length = 0;
});

afterEach(async () => {
  for (const source of sources.splice(0)) await source.close();
  rmSync(directory, { recursive: true });
});

function ingests(): string[] {
  return readdirSync(join(directory, "content/ingest"));
}

function recompressed(
  source: Source,
  form: LayerCompression,
  of: Recompression["of"] = "others",
  context: Partial<RecompressContext> = {},
): RecompressedSource {
  const { signal } = new AbortController();
  const warn = (line: string) => void warnings.push(line);
  const made = new RecompressedSource(
    source,
    { choice: formChoice(form), of },
    { content, layerSizeMax: 1 << 30, warn, signal, ...context },
  );
  sources.push(made);
  return made;
}

async function bytesOf(source: Source, blob: Descriptor, offset = 0): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of source.fetch(blob, offset)) parts.push(piece);
  return Buffer.concat(parts);
}

function suffix(form: LayerCompression): string {
  return form === "tar" ? "" : `+${form}`;
}

/** An image of the three layers, in these forms, with annotations. */
function image(source: MemorySource, forms: readonly LayerCompression[], more: object = {}) {
  const config = source.put(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: tars.slice(0, forms.length).map(digestOf) },
    }),
  );
  const layers = forms.map((form, index) => ({
    mediaType: `${oci}.layer.v1.tar${suffix(form)}`,
    ...source.put(stored[form](tars[index]!)),
    annotations: { "containerd.io/snapshot/stargz/toc.digest": `sha256:${"0".repeat(64)}` },
  }));
  const manifest = { config: { mediaType: `${oci}.config.v1+json`, ...config }, layers, ...more };
  return { config, layers, manifest: source.json(`${oci}.manifest.v1+json`, manifest) };
}

async function rootOf(source: Source) {
  const { bytes, contentType } = await source.root();
  return { ...JSON.parse(Buffer.from(bytes).toString()), contentType };
}

for (const form of ["gzip", "zstd", "tar"] as const) {
  test(`layers of other forms become ${form}; those that are it stay, annotations and all`, async () => {
    const memory = new MemorySource();
    const { layers, config } = image(memory, ["tar", "gzip", "zstd"], {
      annotations: { a: "b" },
      subject: { mediaType: "x", digest: `sha256:${"1".repeat(64)}`, size: 3 },
    });
    const source = recompressed(memory, form);
    const root = await rootOf(source);
    expect(root.contentType).toBe(`${oci}.manifest.v1+json`);
    expect([root.annotations, root.subject.size, root.config.digest]).toEqual([{ a: "b" }, 3, config.digest]);
    const kept = ["tar", "gzip", "zstd"].indexOf(form);
    for (const [index, layer] of root.layers.entries()) {
      if (index === kept) {
        expect(layer).toEqual(layers[index]);
        continue;
      }
      expect(layer.mediaType).toBe(`${oci}.layer.v1.tar${suffix(form)}`);
      expect(layer.annotations).toBeUndefined();
      const bytes = await bytesOf(source, layer);
      expect([bytes.length, digestOf(bytes)]).toEqual([layer.size, layer.digest]);
      expect(Buffer.from(opened[form](bytes)).equals(tars[index]!)).toBe(true);
      expect((await bytesOf(source, layer, 1001)).equals(bytes.subarray(1001))).toBe(true);
    }
    // The same again: other runs make the same of it.
    expect(await rootOf(recompressed(memory, form))).toEqual(root);
    expect(warnings).toEqual([]);
  });
}

test("what is made goes with the source, and a source of which nothing changes stays byte for byte", async () => {
  const memory = new MemorySource();
  image(memory, ["gzip", "gzip"]);
  const same = recompressed(memory, "gzip");
  expect((await same.root()).bytes).toBe(memory.top.bytes);
  const other = recompressed(memory, "zstd");
  await other.root();
  expect(ingests()).toHaveLength(2);
  await other.close();
  expect([ingests(), memory.closed]).toEqual([[], 1]);
});

test("only what is not compressed, or all of it", async () => {
  const memory = new MemorySource();
  const { layers } = image(memory, ["tar", "gzip", "zstd"]);
  const some = await rootOf(recompressed(memory, "gzip", "uncompressed"));
  expect(some.layers.slice(1)).toEqual(layers.slice(1));
  expect(some.layers[0].mediaType).toEndWith("+gzip");
  const all = await rootOf(recompressed(memory, "gzip", "all"));
  for (const [index, layer] of all.layers.entries()) expect(layer.digest).not.toBe(layers[index]!.digest);
});

test("what a layer becomes is remembered: it is made only for who wants its bytes", async () => {
  const memory = new MemorySource();
  image(memory, ["tar", "tar"]);
  const rows = new Map<string, Pick<Descriptor, "digest" | "size">>();
  const known = {
    find: (layer: Digest, how: string) => rows.get(`${layer} ${how}`),
    note: (layer: Digest, how: string, { digest, size }: Pick<Descriptor, "digest" | "size">) =>
      void rows.set(`${layer} ${how}`, { digest, size }),
  };
  const first = await rootOf(recompressed(memory, "gzip", "uncompressed", { known }));
  expect(rows.size).toBe(2);
  const before = ingests().length;
  const again = recompressed(memory, "gzip", "uncompressed", { known });
  const root = await rootOf(again);
  expect([root, ingests().length]).toEqual([first, before]);
  const [bytes] = await Promise.all([bytesOf(again, root.layers[0]), bytesOf(again, root.layers[0])]);
  expect([digestOf(bytes), ingests().length]).toEqual([root.layers[0].digest, before + 1]);
  // Another level is another thing.
  const level = { choice: formChoice("gzip", 1), of: "uncompressed" } as const;
  const { signal } = new AbortController();
  const other = new RecompressedSource(memory, level, {
    ...{ content, layerSizeMax: 1 << 30, warn: () => {}, signal, known },
  });
  sources.push(other);
  expect((await rootOf(other)).layers[0].digest).not.toBe(root.layers[0].digest);
});

test("Docker's manifest keeps its types, but for zstd, which makes it OCI's", async () => {
  const memory = new MemorySource();
  const { config, layers } = image(memory, ["gzip", "tar"]);
  const foreign = {
    mediaType: `${docker}.image.rootfs.foreign.diff.tar.gzip`,
    digest: `sha256:${"2".repeat(64)}`,
    size: 5,
    urls: ["https://example.org/layer"],
  };
  const withForeign = JSON.parse(Buffer.from(memory.blobs.get(config.digest)!).toString());
  withForeign.rootfs.diff_ids.push(`sha256:${"3".repeat(64)}`);
  memory.json(`${docker}.distribution.manifest.v2+json`, {
    config: { mediaType: `${docker}.container.image.v1+json`, ...memory.put(JSON.stringify(withForeign)) },
    layers: [
      { ...layers[0], mediaType: `${docker}.image.rootfs.diff.tar.gzip` },
      { ...layers[1], mediaType: `${docker}.image.rootfs.diff.tar` },
      foreign,
    ],
  });
  const types = (root: { layers: Descriptor[] }) => root.layers.map(({ mediaType }) => mediaType);
  const gzip = await rootOf(recompressed(memory, "gzip"));
  expect(gzip.mediaType).toBe(`${docker}.distribution.manifest.v2+json`);
  expect(types(gzip).slice(0, 2)).toEqual(Array(2).fill(`${docker}.image.rootfs.diff.tar.gzip`));
  expect(gzip.layers[2]).toEqual(foreign);
  const tar = await rootOf(recompressed(memory, "tar"));
  expect(types(tar).slice(0, 2)).toEqual(Array(2).fill(`${docker}.image.rootfs.diff.tar`));
  expect(warnings).toEqual([]);
  const zstd = await rootOf(recompressed(memory, "zstd"));
  expect([zstd.mediaType, zstd.contentType]).toEqual(Array(2).fill(`${oci}.manifest.v1+json`));
  expect(zstd.config.mediaType).toBe(`${oci}.config.v1+json`);
  expect(zstd.config.digest).toBe(gzip.config.digest);
  expect(types(zstd)).toEqual([
    ...Array(2).fill(`${oci}.layer.v1.tar+zstd`),
    `${oci}.layer.nondistributable.v1.tar+gzip`,
  ]);
  expect(zstd.layers[2].urls).toEqual(foreign.urls);
  expect(warnings).toEqual(["Docker's image format knows no zstd: memory:x is sent in OCI's"]);
});

test("an index names what its manifests became, and an attestation what it is about", async () => {
  const memory = new MemorySource();
  const { manifest: first } = image(memory, ["tar"]);
  const { manifest: second, layers } = image(memory, ["gzip", "gzip"]);
  const statement = memory.put("{}");
  const attestation = memory.json(`${oci}.manifest.v1+json`, {
    config: { mediaType: `${oci}.config.v1+json`, ...memory.put("{}") },
    layers: [{ mediaType: "application/vnd.in-toto+json", ...statement }],
  });
  const about = {
    platform: { os: "unknown", architecture: "unknown" },
    annotations: {
      "vnd.docker.reference.type": "attestation-manifest",
      "vnd.docker.reference.digest": first.digest,
    },
  };
  memory.json(`${oci}.index.v1+json`, {
    manifests: [
      { ...first, platform: { os: "linux", architecture: "amd64" } },
      { ...second, platform: { os: "linux", architecture: "arm64" }, future: 1 },
      { ...attestation, ...about },
    ],
  });
  const source = recompressed(memory, "gzip", "uncompressed");
  const { manifests } = await rootOf(source);
  expect(manifests[1]).toMatchObject({ ...second, future: 1 });
  expect(manifests[2]).toMatchObject(attestation);
  const [made] = manifests;
  expect(made.digest).not.toBe(first.digest);
  expect(made.platform).toEqual({ os: "linux", architecture: "amd64" });
  expect(manifests[2].annotations["vnd.docker.reference.digest"]).toBe(made.digest);
  const below = await source.document(made);
  expect([digestOf(below.bytes), below.bytes.length]).toEqual([made.digest, made.size]);
  // Of one platform, its manifest alone.
  const zstd = recompressed(memory, "zstd");
  const found = await zstd.resolve(parsePlatform("linux/amd64", { os: "linux", architecture: "amd64" }));
  expect(found.documents).toHaveLength(2);
  expect(found.target).toBe(found.manifest.digest);
  expect(digestOf(found.documents[0]!.bytes)).toBe(found.manifest.digest);
  expect(found.manifest.layers[0]!.mediaType).toEndWith("+zstd");
  expect(layers).toHaveLength(2);
});

test("Docker's list of manifests that became OCI's is OCI's", async () => {
  const memory = new MemorySource();
  const { config, layers } = image(memory, ["gzip"]);
  const manifest = memory.json(`${docker}.distribution.manifest.v2+json`, {
    config: { mediaType: `${docker}.container.image.v1+json`, ...config },
    layers: [{ ...layers[0], mediaType: `${docker}.image.rootfs.diff.tar.gzip` }],
  });
  memory.json(`${docker}.distribution.manifest.list.v2+json`, {
    manifests: [{ ...manifest, platform: { os: "linux", architecture: "amd64" } }],
  });
  const root = await rootOf(recompressed(memory, "zstd"));
  expect(root.mediaType).toBe(`${oci}.index.v1+json`);
  expect(root.manifests[0].mediaType).toBe(`${oci}.manifest.v1+json`);
});

test("a layer that lies, is damaged or is a bomb ends it in one line, and nothing is left", async () => {
  const gzip = stored.gzip(tars[0]!);
  const cases: [Uint8Array, RegExp, string][] = [
    [stored.gzip(tars[1]!), /unpacks to sha256:.*: refused/, "data-loss"],
    [gzip.subarray(0, gzip.length - 9), /damaged/, "data-loss"],
    [Buffer.concat([gzip, Buffer.from("tail of it")]), /gzip/, "data-loss"],
    [zstdCompressSync(tars[0]!).subarray(0, 30), /zstd|unpacks to/, "data-loss"],
    [gzipSync(Buffer.alloc(3 << 20)), /larger than 2097152 bytes/, "exhausted"],
  ];
  for (const [blob, message, code] of cases) {
    const memory = new MemorySource();
    const { config } = image(memory, ["gzip"]);
    memory.json(`${oci}.manifest.v1+json`, {
      config: { mediaType: `${oci}.config.v1+json`, ...config },
      layers: [{ mediaType: `${oci}.layer.v1.tar+gzip`, ...memory.put(blob) }],
    });
    const source = recompressed(memory, "gzip", "all", { layerSizeMax: 2 << 20 });
    const error = await source.root().then(
      () => undefined,
      (caught) => caught,
    );
    expect(error).toBeInstanceOf(RtError);
    expect([error.message, error.code]).toEqual([expect.stringMatching(message), code]);
    expect(error.message).not.toContain("\n");
    expect(ingests()).toEqual([]);
  }
});
