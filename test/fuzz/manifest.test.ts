import { expect, test } from "bun:test";
import { parseImageConfig } from "../../src/oci/image-config.ts";
import { parseDocument, requireImage } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { choose } from "../../src/oci/platform.ts";
import { mutate, onlyRtError, seeded } from "./mutate.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: { mediaType: mediaTypes.ociConfig, digest, size: 7 },
  layers: [{ mediaType: mediaTypes.dockerLayerGzip, digest, size: 5, annotations: { a: "b" } }],
});
const platform = { architecture: "arm64", os: "linux", variant: "v8" };
const index = JSON.stringify({
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [
    { mediaType: mediaTypes.ociManifest, digest, size: 5, platform },
    {
      mediaType: mediaTypes.ociManifest,
      digest,
      size: 6,
      platform: { os: "unknown", architecture: "unknown" },
    },
  ],
});
const config = JSON.stringify({
  ...platform,
  rootfs: { type: "layers", diff_ids: [digest] },
  history: [{ created_by: "x", empty_layer: true }],
  config: {
    User: "u",
    Env: ["A=b"],
    Cmd: ["c"],
    Labels: { a: "b" },
    Volumes: { "/v": {} },
    Healthcheck: { Test: ["CMD"] },
  },
});
const pieces = [
  "null",
  "true",
  "-1",
  "1e999",
  "[]",
  "{}",
  '""',
  "[[[[",
  '{"a":',
  '"__proto__":',
  '"constructor"',
  ",",
  ":",
  "]",
  "}",
  '"',
  "\\u0000",
  '"layers":[],',
  '"manifests":[],',
  '"schemaVersion":1,',
  digest,
  mediaTypes.ociIndex,
  "sha512:",
  "../..",
];

/** Whole values replaced in a valid document: reaches what a broken bracket never does. */
function replaceValue(text: string, random: () => number): string {
  const values: unknown[] = [
    null,
    0,
    -1,
    1.5,
    2 ** 60,
    "",
    "x\0",
    [],
    {},
    [null],
    [[]],
    { a: 1 },
    true,
    digest,
    "sha256:zz",
  ];
  const places: [object, string][] = [];
  const walk = (node: unknown) => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node, key]);
      walk((node as Record<string, unknown>)[key]);
    }
  };
  const document: unknown = JSON.parse(text);
  walk(document);
  const [owner, key] = places[Math.floor(random() * places.length)]!;
  (owner as Record<string, unknown>)[key] = values[Math.floor(random() * values.length)];
  return JSON.stringify(document);
}

for (const [name, seed] of Object.entries({ manifest, index, config })) {
  test(`a mutated ${name} parses or is refused`, () => {
    const random = seeded(seed.length);
    let parsed = 0;
    for (let i = 0; i < 4000; i++) {
      const text = i % 2 === 0 ? mutate(seed, pieces, random) : replaceValue(seed, random);
      const bytes = new TextEncoder().encode(text);
      const header = random() < 0.3 ? mediaTypes.ociManifest : undefined;
      const read = onlyRtError(text, () => {
        if (name === "config") return parseImageConfig(bytes);
        const document = parseDocument(bytes, header, "m");
        if (document.kind === "index") return choose(document.manifests, platform, "m");
        requireImage(document, "m");
        return document;
      });
      if (read) parsed++;
    }
    expect(parsed).toBeGreaterThan(100);
  });
}

test("bytes that are no text", () => {
  const random = seeded(9);
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256));
    onlyRtError("bytes", () => parseDocument(bytes, undefined, "m"));
    const spoiled = new TextEncoder().encode(manifest);
    spoiled[Math.floor(random() * spoiled.length)] = Math.floor(random() * 256);
    onlyRtError("spoiled", () => parseDocument(spoiled, undefined, "m"));
  }
});
