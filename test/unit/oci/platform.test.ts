import { describe, expect, test } from "bun:test";
import type { Descriptor, Platform } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { choose, formatPlatform, matches, parsePlatform } from "../../../src/oci/platform.ts";

const host = { os: "linux", architecture: "amd64" };
const at = (text: string): Platform => parsePlatform(text, host);

function entry(platform: string | undefined, more: Partial<Descriptor> = {}): Descriptor {
  const [os, architecture, variant] = platform?.split("/") ?? [];
  return {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(`${platform} ${JSON.stringify(more)}`),
    size: 1,
    ...(os && architecture && { platform: { os, architecture, ...(variant && { variant }) } }),
    ...more,
  };
}

const chosen = (entries: Descriptor[], wanted: string) => choose(entries, at(wanted), "image").platform;

describe("parsing", () => {
  const cases: [text: string, normal: string][] = [
    ["linux/amd64", "linux/amd64"],
    ["Linux/X86_64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm64/8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/i386", "linux/386"],
    ["arm64", "linux/arm64"],
    ["linux", "linux/amd64"],
    ["windows", "windows/amd64"],
  ];
  for (const [text, normal] of cases) test(text, () => expect(formatPlatform(at(text))).toBe(normal));

  for (const text of [
    "",
    "/",
    "linux/",
    "linux/amd64/v1/x",
    "vax",
    "linux/amd 64",
    "constructor",
    "linux/\u001b",
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () =>
      expect(() => at(text)).toThrow(/^invalid platform [^\n]*$/));
  }
});

describe("choosing", () => {
  test("an exact match beats a lower variant, the nearest lower one beats others, a higher one never runs", () => {
    const all = ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4", "linux/arm64"].map((text) => entry(text));
    expect(chosen(all, "linux/amd64")).toEqual({ os: "linux", architecture: "amd64" });
    expect(chosen(all, "linux/amd64/v2")?.variant).toBe("v2");
    expect(chosen(all, "linux/amd64/v3")?.variant).toBe("v2");
    expect(chosen([entry("linux/arm/v6"), entry("linux/arm/v5")], "linux/arm/v7")?.variant).toBe("v6");
    expect(() => chosen([entry("linux/arm/v7")], "linux/arm/v6")).toThrow();
    expect(() => chosen([entry("linux/amd64/v2")], "linux/amd64")).toThrow();
  });

  test("arm64 and arm64/v8 are one", () => {
    expect(chosen([entry("linux/arm64/v8")], "linux/arm64")?.variant).toBe("v8");
    expect(matches({ os: "linux", architecture: "arm64" }, at("linux/arm64/v8"))).toBe(true);
  });

  test("attestations and strange documents are skipped", () => {
    const attestation = { annotations: { "vnd.docker.reference.type": "attestation-manifest" } };
    const entries = [
      entry("unknown/unknown"),
      entry("linux/amd64", attestation),
      entry("linux/amd64", { mediaType: "application/x" }),
      entry("linux/amd64", { mediaType: mediaTypes.dockerManifest }),
    ];
    expect(choose(entries, host, "image").mediaType).toBe(mediaTypes.dockerManifest);
  });

  test("a lone entry that does not say its platform will do, two will not", () => {
    expect(choose([entry("unknown/unknown"), entry(undefined)], host, "image").platform).toBeUndefined();
    expect(() => choose([entry(undefined), entry(undefined, { size: 2 })], host, "image")).toThrow();
  });

  test("the error lists what there is", () => {
    expect(() =>
      chosen([entry("linux/arm64"), entry("linux/s390x"), entry("unknown/unknown")], "linux/amd64"),
    ).toThrow(
      "image has no image for linux/amd64: it has linux/arm64, linux/s390x; choose one with --platform",
    );
  });
});
