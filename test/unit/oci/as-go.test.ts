/**
 * Documents that docker, containerd and podman accept because Go's encoding/json does: each row is a document, and what it
 * means. What they refuse stands in manifest.test.ts and image-config.test.ts.
 */
import { describe, expect, test } from "bun:test";
import { parseImageConfig } from "../../../src/oci/image-config.ts";
import { chosen, type Index, type Manifest, parseDocument, requireImage } from "../../../src/oci/manifest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { choose } from "../../../src/oci/platform.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const sha512 = `sha512:${"cd".repeat(64)}`;
const layer = { mediaType: mediaTypes.dockerLayerGzip, digest, size: 5 };
const config = { mediaType: mediaTypes.ociConfig, digest, size: 7 };
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const rootfs = { type: "layers", diff_ids: [digest] };

const encode = (value: unknown) =>
  value instanceof Uint8Array
    ? value
    : typeof value === "string"
      ? Buffer.from(value)
      : Buffer.from(JSON.stringify(value));

/** `text` with the one byte 0xE9, Latin-1's é, in place of each §. */
const latin1 = (text: string) => Buffer.from(text.replaceAll("§", "é"), "latin1");

function image(document: unknown, contentType?: string): Manifest {
  const found = parseDocument(encode(document), contentType, "m");
  if (found.kind !== "manifest") throw new Error("want a manifest");
  requireImage(found, "m");
  return found;
}

describe("a manifest", () => {
  for (const mediaType of ["application/octet-stream", "application/json", "text/html", ""]) {
    test(`whose config is of type "${mediaType}" is an image`, () => {
      expect(image({ ...manifest, config: { ...config, mediaType } }).config.mediaType).toBe(mediaType);
    });
  }

  test("whose config says no type at all is one too", () => {
    expect(image({ ...manifest, config: { digest, size: 7 } }).config.mediaType).toBe("");
  });

  const accepted: [what: string, document: unknown, layers: number][] = [
    ["layers that are null", { ...manifest, layers: null }, 0],
    ["no layers", { ...manifest, layers: undefined }, 0],
    ["null where an index has its manifests", { ...manifest, manifests: null }, 1],
    ["an empty mediaType", { ...manifest, mediaType: "" }, 1],
    ["a mediaType that is null", { ...manifest, mediaType: null }, 1],
    ["no schemaVersion", { ...manifest, schemaVersion: undefined }, 1],
    [
      "names in other cases",
      { SCHEMAVERSION: 2, MediaType: mediaTypes.ociManifest, Config: config, LAYERS: [layer] },
      1,
    ],
    ["members that nobody knows", { ...manifest, subject: config, data: [[1]], "": 1 }, 1],
    ["annotations that are null", { ...manifest, annotations: { a: null } }, 1],
    [
      "a descriptor in other cases",
      { ...manifest, layers: [{ MEDIATYPE: layer.mediaType, Digest: digest, Size: 5 }] },
      1,
    ],
    [
      "a name that is there twice: the last counts",
      `{"Layers":[1,2],${JSON.stringify(manifest).slice(1)}`,
      1,
    ],
    ["a raw byte in an annotation", latin1(JSON.stringify({ ...manifest, annotations: { a: "§" } })), 1],
  ];
  for (const [what, document, layers] of accepted) {
    test(what, () => expect(image(document).layers).toHaveLength(layers));
  }

  const ambiguous: [what: string, document: unknown][] = [
    ["layers and manifests in other cases", { ...manifest, Manifests: [] }],
    ["letters that Go folds", `{"layer\u017f":[],"manifests":[],"schemaVersion":2}`],
    ["layers of schema 1 beside those of schema 2", { ...manifest, fsLayers: [{ blobSum: digest }] }],
    [
      "a config in an index",
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, CONFIG: config, manifests: [] },
    ],
  ];
  for (const [what, document] of ambiguous) {
    test(`${what} can be read two ways`, () => expect(() => image(document)).toThrow(/: refused$/));
  }
});

describe("an index", () => {
  const platform = (architecture: string) => ({ os: "linux", architecture });
  const index = (...manifests: unknown[]): Index => {
    const found = parseDocument(
      encode({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
      undefined,
      "m",
    );
    if (found.kind !== "index") throw new Error("want an index");
    return found;
  };
  const entry = { mediaType: mediaTypes.ociManifest, digest, size: 5, platform: platform("amd64") };
  const pick = ({ manifests }: Index) => chosen(choose(manifests, platform("amd64"), "m"), "m").size;

  const others: [what: string, entry: unknown][] = [
    ["sha512", { ...entry, digest: sha512, platform: platform("arm64") }],
    ["no digest at all", { ...entry, digest: "", platform: platform("arm64") }],
    ["a size that cannot be", { ...entry, size: -1, platform: platform("arm64") }],
    ["a size of more than JavaScript's integers", { ...entry, size: 2 ** 60, platform: platform("arm64") }],
    ["an entry that is null", null],
    ["an artifact without a type", { digest: sha512 }],
    [
      "a signature that says no platform",
      { ...entry, platform: undefined, size: 6, artifactType: "application/x-signature" },
    ],
  ];
  for (const [what, other] of others) {
    test(`${what} of another platform does no harm`, () => expect(pick(index(other, entry))).toBe(5));
  }

  test("a signature beside an image, neither of which says its platform", () => {
    const image = { ...entry, platform: null };
    expect(pick(index({ ...image, size: 6, artifactType: "application/x-signature" }, image))).toBe(5);
  });

  test("what was chosen must be right", () => {
    expect(() => pick(index({ ...entry, digest: sha512 }))).toThrow(/digest is sha512:cdcd.*: want sha256:/);
    expect(() => pick(index({ ...entry, size: -1 }))).toThrow(/size is/);
  });

  test("without manifests there is nothing to choose", () => {
    const none = parseDocument(encode({ schemaVersion: 2, mediaType: mediaTypes.ociIndex }), undefined, "m");
    expect(none).toMatchObject({ kind: "index", manifests: [] });
    expect(() => pick(none as Index)).toThrow(/has no image for linux.amd64: it has none at all/);
  });

  test("a platform in other cases", () => {
    expect(
      pick(index({ ...entry, platform: { OS: "linux", Architecture: "amd64", "OS.version": null } })),
    ).toBe(5);
  });
});

describe("a config", () => {
  const rows: [what: string, document: unknown, wanted: object][] = [
    [
      "names in other cases",
      {
        Architecture: "amd64",
        OS: "linux",
        RootFS: { TYPE: "layers", Diff_IDs: [digest] },
        CONFIG: { env: ["A=b"], cmd: ["c"] },
      },
      { architecture: "amd64", config: { Env: ["A=b"], Cmd: ["c"] } },
    ],
    [
      "a name that is there twice: the last counts",
      `{"rootfs":${JSON.stringify(rootfs)},"config":{"User":"a","user":"b","Cmd":["x"],"Cmd":["y"]}}`,
      { config: { User: "b", Cmd: ["y"] } },
    ],
    [
      "labels that are null",
      { rootfs, config: { Labels: { a: null, b: "c" } } },
      { config: { Labels: { a: "", b: "c" } } },
    ],
    [
      "labels whose names differ in case are two",
      { rootfs, config: { Labels: { a: "1", A: "2" } } },
      { config: { Labels: { a: "1", A: "2" } } },
    ],
    ["null in a list of texts", { rootfs, config: { Cmd: [null, "x"] } }, { config: { Cmd: ["", "x"] } }],
    [
      "history entries that are null",
      { rootfs, history: [null, { created_by: "x" }] },
      { history: [{}, { created_by: "x" }] },
    ],
    ["a NUL in the history", { rootfs, history: [{ comment: "\0" }] }, { history: [{ comment: "\0" }] }],
    [
      "volumes and ports that are null",
      { rootfs, config: { Volumes: { "/v": null }, ExposedPorts: { "80/tcp": null } } },
      { config: { Volumes: { "/v": {} }, ExposedPorts: { "80/tcp": {} } } },
    ],
    ["no type of the rootfs", { rootfs: { diff_ids: [digest] } }, { rootfs }],
    ["a null platform", { rootfs, os: null, architecture: null }, { os: "linux", architecture: "" }],
    [
      "negative numbers",
      { rootfs, config: { Healthcheck: { Retries: -1, Interval: -5 } } },
      { config: { Healthcheck: { Retries: -1, Interval: -5 } } },
    ],
    [
      "the largest of Go's numbers",
      { rootfs, config: { Healthcheck: { Interval: 2 ** 63 - 1 } } },
      { config: { Healthcheck: { Interval: Number.MAX_SAFE_INTEGER } } },
    ],
    [
      "members that nobody knows",
      { rootfs, container_config: { Cmd: 5 }, config: { Onwards: 5, ArgsEscaped: true } },
      { config: {} },
    ],
    [
      "a raw byte in the history",
      latin1(`{"rootfs":${JSON.stringify(rootfs)},"history":[{"author":"Ren§"}]}`),
      { history: [{ author: "Ren\ufffd" }] },
    ],
    [
      "a raw byte in a name",
      latin1(`{"rootfs":${JSON.stringify(rootfs)},"config":{"Labels":{"§":"x"}}}`),
      { config: { Labels: { "\ufffd": "x" } } },
    ],
    [
      "half a pair in Env",
      `{"rootfs":${JSON.stringify(rootfs)},"config":{"Env":["A=\\ud800b"],"WorkingDir":"/\\udc00"}}`,
      { config: { Env: ["A=\ufffdb"], WorkingDir: "/\ufffd" } },
    ],
    [
      "half a pair in a label's name",
      `{"rootfs":${JSON.stringify(rootfs)},"config":{"Labels":{"\\ud800":"x"}}}`,
      { config: { Labels: { "\ufffd": "x" } } },
    ],
    [
      "a whole pair is a character",
      `{"rootfs":${JSON.stringify(rootfs)},"config":{"User":"\\ud83d\\ude00"}}`,
      { config: { User: "\u{1f600}" } },
    ],
  ];
  for (const [what, document, wanted] of rows) {
    test(what, () => expect(parseImageConfig(encode(document))).toMatchObject(wanted));
  }
});
