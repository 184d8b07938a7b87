import { describe, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { parseJson } from "../../../src/oci/json.ts";
import { chosen, parseDocument, requireImage } from "../../../src/oci/manifest.ts";
import { isForeignLayerType, isLayerType, mediaTypes } from "../../../src/oci/media-types.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const layer = { mediaType: mediaTypes.dockerLayerGzip, digest, size: 5 };
const manifest = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: { mediaType: mediaTypes.ociConfig, digest, size: 7 },
  layers: [layer],
};
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [{ ...layer, platform: { os: "linux" } }],
};

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const parse = (value: unknown, header?: string) => parseDocument(bytes(value), header, "m");

/** The entries of an index, each as if it had been chosen. */
function parseEntries(...manifests: object[]) {
  const document = parse({ ...index, manifests });
  if (document.kind !== "index") throw new Error("want an index");
  return document.manifests.map((entry) => chosen(entry, "m"));
}

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof RtError) {
      expect(error.message).not.toContain("\n");
      return error.code;
    }
    throw error;
  }
  return "none";
}

describe("which document it is", () => {
  test("by header, by mediaType, or by what is in it", () => {
    const { mediaType: _1, ...bareManifest } = manifest;
    const { mediaType: _2, ...bareIndex } = index;
    expect(parse(manifest, mediaTypes.ociManifest).kind).toBe("manifest");
    expect(parse(manifest, `${mediaTypes.ociManifest}; charset=utf-8`).kind).toBe("manifest");
    expect(parse(manifest).mediaType).toBe(mediaTypes.ociManifest);
    expect(parse(manifest, "application/json").kind).toBe("manifest");
    expect(parse(bareManifest, mediaTypes.dockerManifest).mediaType).toBe(mediaTypes.dockerManifest);
    expect(parse(bareManifest).mediaType).toBe(mediaTypes.ociManifest);
    expect(parse(index, mediaTypes.ociIndex).kind).toBe("index");
    expect(parse(bareIndex).mediaType).toBe(mediaTypes.ociIndex);
  });

  test("a document that can be read two ways is refused", () => {
    expect(codeOf(() => parse({ ...manifest, manifests: [] }))).toBe("data-loss");
    expect(codeOf(() => parse({ ...index, layers: [layer] }))).toBe("data-loss");
    expect(codeOf(() => parse({ ...index, config: manifest.config }))).toBe("data-loss");
    expect(codeOf(() => parse(manifest, mediaTypes.ociIndex))).toBe("data-loss");
    expect(codeOf(() => parse(manifest, mediaTypes.dockerManifest))).toBe("data-loss");
    expect(codeOf(() => parse({ ...manifest, mediaType: undefined }, mediaTypes.ociIndex))).toBe("data-loss");
    expect(codeOf(() => parse({ ...index, mediaType: undefined }, mediaTypes.ociManifest))).toBe("data-loss");
  });

  test("schema 1 and strangers are unsupported", () => {
    expect(codeOf(() => parse({ schemaVersion: 1, fsLayers: [] }))).toBe("unsupported");
    const signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    expect(codeOf(() => parse(manifest, signed))).toBe("unsupported");
    expect(() => parse({ schemaVersion: 1 })).toThrow(/schema 1/);
    expect(codeOf(() => parse({ ...manifest, mediaType: "text/x" }, "text/x"))).toBe("unsupported");
    expect(codeOf(() => parse({ schemaVersion: 3 }))).toBe("data-loss");
    const chart = {
      ...manifest,
      config: { ...manifest.config, mediaType: "application/vnd.cncf.helm.config.v1+json" },
    };
    const parsed = parse(chart);
    if (parsed.kind !== "manifest") throw new Error("want a manifest");
    expect(() => requireImage(parsed, "m")).toThrow(/not a container image.*helm/);
  });

  test("layer types", () => {
    const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    expect([isLayerType(foreign), isForeignLayerType(foreign)]).toEqual([true, true]);
    expect(isForeignLayerType(mediaTypes.dockerLayerGzip)).toBe(false);
    const layers = ["application/vnd.oci.image.layer.v1.tar+zstd", mediaTypes.dockerLayerGzip];
    for (const type of layers) expect([type, isLayerType(type)]).toEqual([type, true]);
    for (const type of ["application/vnd.oci.image.layer.v1.tar+encrypted", "__proto__"])
      expect([type, isLayerType(type)]).toEqual([type, false]);
    for (const vague of ["", "application/octet-stream", "application/octet-stream; charset=utf-8"])
      expect(isLayerType(vague)).toBe(true);
    expect(isLayerType("application/vnd.oci.image.layer.v1.tar+gzip; charset=utf-8")).toBe(true);
  });
});

describe("malformed", () => {
  const wrong: [string, object][] = [
    ["digest that climbs", { ...layer, digest: "sha256:../../etc/passwd" }],
    ["upper-case digest", { ...layer, digest: digest.toUpperCase() }],
    ["short digest", { ...layer, digest: "sha256:ab" }],
    ["no digest", { ...layer, digest: undefined }],
    ["negative size", { ...layer, size: -1 }],
    ["fractional size", { ...layer, size: 1.5 }],
    ["text size", { ...layer, size: "5" }],
    ["unsafe size", { ...layer, size: 2 ** 60 }],
    ["numeric media type", { ...layer, mediaType: 3 }],
    ["NUL", { ...layer, mediaType: "a\0b" }],
  ];
  for (const [name, entry] of wrong) {
    test(name, () => {
      expect(codeOf(() => parse({ ...manifest, layers: [entry] }))).toBe("data-loss");
      expect(codeOf(() => parse({ ...manifest, config: entry }))).toBe("data-loss");
      expect(codeOf(() => parseEntries(entry))).toBe("data-loss");
    });
  }

  test("documents that are none", () => {
    for (const value of [null, [], "x", 1, {}, { schemaVersion: "2" }, { ...manifest, layers: {} }]) {
      expect(codeOf(() => parse(value))).toBe("data-loss");
    }
    for (const text of ["", "{", "\ufeff{}", '{"schemaVersion":2', "]]]]"]) {
      expect(codeOf(() => parseDocument(new TextEncoder().encode(text), undefined, "m"))).toBe("data-loss");
    }
    for (const raw of [[0x22, 0xff, 0x22], [0xff], [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]]) {
      expect(codeOf(() => parseDocument(Uint8Array.from(raw), undefined, "m"))).toBe("data-loss");
    }
  });

  test("a sha512 digest is valid OCI that rt does not do", () => {
    const entry = { ...layer, digest: `sha512:${"ab".repeat(64)}` };
    expect(codeOf(() => parse({ ...manifest, layers: [entry] }))).toBe("unsupported");
    expect(codeOf(() => parse({ ...manifest, config: entry }))).toBe("unsupported");
    expect(codeOf(() => parseEntries(layer, entry))).toBe("unsupported");
  });
});

describe("bounds", () => {
  test("JSON that is 100,000 deep is refused before it is parsed", () => {
    const deep = new TextEncoder().encode("[".repeat(100_000) + "]".repeat(100_000));
    const before = process.memoryUsage().rss;
    expect(() => parseJson(deep, "m")).toThrow(/nested more than/);
    expect(process.memoryUsage().rss - before).toBeLessThan(20e6);
    const hidden = new TextEncoder().encode(`{"a":"\\"","b":${'{"x":'.repeat(50)}1${"}".repeat(50)}}`);
    expect(codeOf(() => parseJson(hidden, "m"))).toBe("exhausted");
  });

  test("brackets inside strings are not nesting", () => {
    const text = JSON.stringify({ a: "[".repeat(1000), "[[[": '\\"{{{{' });
    expect(parseJson(new TextEncoder().encode(text), "m")).toEqual(JSON.parse(text));
  });

  test("more than 4 MiB is refused", () => {
    const long = new TextEncoder().encode(JSON.stringify("x".repeat(4 * 1024 * 1024)));
    expect(codeOf(() => parseJson(long, "m"))).toBe("exhausted");
  });
});
