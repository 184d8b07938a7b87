/**
 * Images that are honest and unusual, as OCI layouts, each with what it runs when it is run:
 *
 *   many layers     127, docker's limit: a busybox and 126 layers of one file each
 *   no layers       a config alone: what runs in it is bound
 *   foreign         its second layer is of a "nondistributable" type with URLs, its blob is here all the same
 *   five platforms  an index of amd64, arm64/v8, arm/v7, 386 and s390x, each with an attestation as buildkit attaches it
 *   eStargz         each member a gzip stream of its own, a table of contents and a footer (stargz-snapshotter, estargz.md)
 *   zstd:chunked    each member a zstd frame of its own, and the same in frames that a decoder skips (containers/storage)
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { busyboxLayout } from "./images.ts";
import { type Descriptor, digestOf, hostArchitecture, LayoutWriter, mediaTypes } from "./layout.ts";
import { fixture } from "./scratch.ts";
import { archive, member, withoutEnd } from "./tar.ts";

export interface OddImage {
  layout: string;
  tag: string;
}

/** Also the key of what is made from it: a changed recipe makes a new fixture. */
const recipe = Bun.file(import.meta.path).text();
const epoch = "2025-01-01T00:00:00Z";
const shell = { Cmd: ["sh"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] };
export const layersMax = 127;

export function manyLayers(): Promise<OddImage> {
  return made("many-layers", async (layout, busybox) => {
    const file = (at: number) => archive({ name: `layers/${at}`, content: `layer ${at}\n` });
    const layers = [busybox, ...Array.from({ length: layersMax - 1 }, (_, at) => file(at + 1))];
    await layout.image("odd", { layers, config: shell });
  });
}

export function noLayers(): Promise<OddImage> {
  return made("no-layers", async (layout) => {
    await layout.image("odd", { layers: [], config: { Labels: { kind: "no layers" } } });
  });
}

export function foreignLayer(): Promise<OddImage> {
  return made("foreign", async (layout, busybox) => {
    const licensed = archive({ name: "licensed", content: "of somebody else\n" });
    const type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    const base = await layout.blob(Bun.gzipSync(new Uint8Array(busybox)), `${mediaTypes.layer}+gzip`);
    const foreign = await layout.blob(Bun.gzipSync(new Uint8Array(licensed)), type);
    const layers = [base, { ...foreign, urls: ["https://licensed.invalid/layer.tar.gz"] }];
    layout.tag("odd", await writeImage(layout, layers, [busybox, licensed]));
  });
}

export const platforms = ["amd64", "arm64/v8", "arm/v7", "386", "s390x"];

export function fivePlatforms(): Promise<OddImage> {
  return made("five-platforms", async (layout, busybox) => {
    const manifests: Descriptor[] = [];
    for (const name of platforms) {
      const [architecture = "", variant] = name.split("/");
      const own = archive({ name: "etc/platform", content: `${name}\n` });
      const layers = architecture === hostArchitecture() ? [busybox, own] : [own];
      const image = await layout.image(null, { layers, architecture, config: shell });
      manifests.push({ ...image, platform: { os: "linux", architecture, ...(variant && { variant }) } });
    }
    for (const { digest } of [...manifests]) manifests.push(await attestation(layout, digest));
    await layout.index("odd", manifests);
  });
}

export function eStargz(): Promise<OddImage> {
  return made("estargz", async (layout, busybox) => {
    const stargz = stargzLayer([
      { name: ".no.prefetch.landmark", content: "\u000f" },
      { name: "lazy/one", content: "one\n" },
      { name: "lazy/two", content: "two\n".repeat(1000) },
    ]);
    const base = await layout.blob(Bun.gzipSync(new Uint8Array(busybox)), `${mediaTypes.layer}+gzip`);
    const blob = await layout.blob(stargz.bytes, `${mediaTypes.layer}+gzip`);
    const annotations = { "containerd.io/snapshot/stargz/toc.digest": stargz.toc };
    layout.tag("odd", await writeImage(layout, [base, { ...blob, annotations }], [busybox, stargz.tar]));
  });
}

export function zstdChunked(): Promise<OddImage> {
  return made("zstd-chunked", async (layout, busybox) => {
    const chunked = chunkedLayer([
      { name: "lazy/one", content: "one\n" },
      { name: "lazy/two", content: "two\n".repeat(1000) },
    ]);
    const type = `${mediaTypes.layer}+zstd`;
    const base = await layout.blob(Bun.zstdCompressSync(new Uint8Array(busybox)), type);
    const annotations = {
      "io.github.containers.zstd-chunked.manifest-checksum": chunked.toc,
      "io.github.containers.zstd-chunked.manifest-position": chunked.position,
    };
    const layer = { ...(await layout.blob(chunked.bytes, type)), annotations };
    layout.tag("odd", await writeImage(layout, [base, layer], [busybox, chunked.tar]));
  });
}

/** An image of layers that are written already; `tars` are the same uncompressed. */
async function writeImage(layout: LayoutWriter, layers: Descriptor[], tars: Uint8Array[]) {
  const platform = { os: "linux", architecture: hostArchitecture() };
  const rootfs = { type: "layers", diff_ids: tars.map(digestOf) };
  const history = tars.map(() => ({ created: epoch, created_by: "rt test" }));
  const config = await layout.json(
    { created: epoch, ...platform, config: shell, rootfs, history },
    mediaTypes.config,
  );
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers };
  return { ...(await layout.json(manifest, mediaTypes.manifest)), platform };
}

/** buildkit, docs/attestations/attestation-storage.md: a manifest whose layers are statements and no file systems. */
async function attestation(layout: LayoutWriter, about: string): Promise<Descriptor> {
  const platform = { os: "unknown", architecture: "unknown" };
  const type = "application/vnd.in-toto+json";
  const statement = { _type: "https://in-toto.io/Statement/v0.1", subject: [{ digest: about }] };
  const layer = {
    ...(await layout.json(statement, type)),
    annotations: { "in-toto.io/predicate-type": "x" },
  };
  const rootfs = { type: "layers", diff_ids: [layer.digest] };
  const config = await layout.json({ ...platform, config: {}, rootfs }, mediaTypes.config);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] };
  const annotations = {
    "vnd.docker.reference.type": "attestation-manifest",
    "vnd.docker.reference.digest": about,
  };
  return { ...(await layout.json(manifest, mediaTypes.manifest)), platform, annotations };
}

/** estargz.md: members compressed one by one, then the table of contents, then an empty gzip stream that says where it is. */
function stargzLayer(files: { name: string; content: string }[]): {
  bytes: Uint8Array;
  tar: Uint8Array;
  toc: string;
} {
  const parts: Uint8Array[] = [];
  const tars: Uint8Array[] = [];
  let offset = 0;
  const add = (tar: Uint8Array) => {
    const gzip = gzipSync(tar);
    tars.push(tar);
    parts.push(gzip);
    const at = offset;
    offset += gzip.length;
    return at;
  };
  const entries = files.map((file) => ({
    name: file.name,
    type: "reg",
    size: file.content.length,
    mode: 0o644,
    offset: add(member(file)),
    digest: digestOf(Buffer.from(file.content)),
  }));
  const toc = JSON.stringify({ version: 1, entries });
  const tocAt = add(
    Buffer.concat([member({ name: "stargz.index.json", content: toc }), new Uint8Array(1024)]),
  );
  parts.push(footer(tocAt));
  return { bytes: Buffer.concat(parts), tar: Buffer.concat(tars), toc: digestOf(Buffer.from(toc)) };
}

/** pkg/chunked of containers/storage: frames of members, then a skippable frame with the compressed table, then a footer. */
function chunkedLayer(files: { name: string; content: string }[]) {
  const members = [...files.map((file) => member(file)), new Uint8Array(1024)];
  const frames = members.map((bytes) => Bun.zstdCompressSync(new Uint8Array(bytes)));
  const entries = files.map(({ name, content }) => ({ type: "reg", name, size: content.length }));
  const text = Buffer.from(JSON.stringify({ version: 1, entries }));
  const toc = Bun.zstdCompressSync(new Uint8Array(text));
  const at = frames.reduce((sum, { length }) => sum + length, 0) + skippableHeaderBytes;
  const footer = Buffer.alloc(64);
  for (const [index, value] of [at, toc.length, text.length, 1].entries())
    footer.writeBigUInt64LE(BigInt(value), index * 8);
  footer.write("GNUlInUx", 56, "latin1");
  return {
    bytes: Buffer.concat([...frames, skippable(toc), skippable(footer)]),
    tar: Buffer.concat(members),
    toc: digestOf(toc),
    position: `${at}:${toc.length}:${text.length}:1`,
  };
}

const skippableHeaderBytes = 8;

/** RFC 8878, 3.1.2. */
function skippable(content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(skippableHeaderBytes);
  header.writeUInt32LE(0x184d2a50, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** 51 bytes: a gzip header with the extra field "SG", an empty stored block, and the end of a stream (RFC 1952, 1951). */
function footer(tocAt: number): Uint8Array {
  const text = `${tocAt.toString(16).padStart(16, "0")}STARGZ`;
  const header = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
  const extra = [text.length + 4, 0, 0x53, 0x47, text.length, 0, ...Buffer.from(text)];
  return Uint8Array.from([...header, ...extra, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
}

async function made(
  name: string,
  write: (layout: LayoutWriter, busybox: Uint8Array) => Promise<void>,
): Promise<OddImage> {
  const busybox = await busyboxLayout();
  const dir = await fixture(name, `${await recipe}${busybox}`, async (into) => {
    const layout = new LayoutWriter(join(into, "layout"));
    await write(layout, await onlyLayer(busybox));
    await layout.close();
  });
  return { layout: join(dir, "layout"), tag: "odd" };
}

/** The busybox image's layer, uncompressed. */
async function onlyLayer(layout: string): Promise<Uint8Array> {
  const read = (digest: string) => readFileSync(join(layout, "blobs", digest.replace(":", "/")));
  const index: { manifests: Descriptor[] } = await Bun.file(join(layout, "index.json")).json();
  const manifest: { layers: Descriptor[] } = JSON.parse(String(read(index.manifests[0]!.digest)));
  return withoutPadding(Bun.gunzipSync(new Uint8Array(read(manifest.layers[0]!.digest))));
}

function withoutPadding(tar: Uint8Array): Uint8Array {
  return Buffer.concat([withoutEnd(tar), new Uint8Array(1024)]);
}
