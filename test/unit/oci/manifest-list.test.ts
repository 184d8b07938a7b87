import { expect, test } from "bun:test";
import type { Digest } from "../../../src/oci/digest.ts";
import { isKnownPlatform, listDocument } from "../../../src/oci/manifest-list.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";

const entry = (mediaType: string) => {
  const platform = { variant: "v7", os: "linux", "os.features": [], architecture: "arm", "os.version": "" };
  return { mediaType, size: 7, digest: `sha256:${"a".repeat(64)}` as Digest, platform };
};

test("the bytes of docker's manifest push", () => {
  const { mediaType, bytes } = listDocument([entry(mediaTypes.dockerManifest)]);
  expect(mediaType).toBe(mediaTypes.dockerIndex);
  expect(new TextDecoder().decode(bytes)).toBe(`{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
   "manifests": [
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 7,
         "digest": "sha256:${"a".repeat(64)}",
         "platform": {
            "architecture": "arm",
            "os": "linux",
            "variant": "v7"
         }
      }
   ]
}`);
});

test("an index where the first image is OCI's", () => {
  expect(listDocument([entry(mediaTypes.ociManifest)]).mediaType).toBe(mediaTypes.ociIndex);
  expect(listDocument([entry(mediaTypes.dockerManifest), entry(mediaTypes.ociManifest)]).mediaType).toBe(
    mediaTypes.dockerIndex,
  );
});

test("platforms that docker lets an entry have", () => {
  expect(isKnownPlatform({ os: "linux", architecture: "riscv64" })).toBe(true);
  for (const [os, architecture] of [
    ["linux", "z80"],
    ["", "amd64"],
    ["linux", ""],
    ["toString", "amd64"],
  ])
    expect(isKnownPlatform({ os: os!, architecture: architecture! })).toBe(false);
});
