import type { Digest } from "./digest.ts";
import { mediaTypes } from "./media-types.ts";

/** What an entry of a list says about where it runs: docker's fields, which are OCI's, in docker's order. */
export interface ListPlatform {
  architecture: string;
  os: string;
  "os.version"?: string;
  "os.features"?: string[];
  variant?: string;
}

/** One image of a list that is being made. */
export interface ListEntry {
  mediaType: string;
  size: number;
  digest: Digest;
  platform?: ListPlatform | undefined;
}

/**
 * The list as docker's `manifest push` makes it, byte for byte: an index of OCI where its first image is OCI's, else Docker's
 * manifest list.
 */
export function listDocument(entries: readonly ListEntry[]): { mediaType: string; bytes: Uint8Array } {
  const isOci = entries[0]?.mediaType === mediaTypes.ociManifest;
  const mediaType = isOci ? mediaTypes.ociIndex : mediaTypes.dockerIndex;
  const manifests = entries.map(({ mediaType, size, digest, platform }) => {
    return { mediaType, size, digest, platform: ordered(platform ?? { architecture: "", os: "" }) };
  });
  const text = JSON.stringify({ schemaVersion: 2, mediaType, manifests }, undefined, 3);
  return { mediaType, bytes: new TextEncoder().encode(text) };
}

/** The fields in docker's order; what is empty is left out, but for the two that must be there. */
export function ordered(platform: ListPlatform): ListPlatform {
  const { architecture, os, variant, "os.version": version, "os.features": features } = platform;
  return {
    architecture,
    os,
    ...(version && { "os.version": version }),
    ...(features?.length && { "os.features": features }),
    ...(variant && { variant }),
  };
}

/** Go's, where a container may be for them: what docker lets an entry say. */
const known: Readonly<Record<string, string>> = {
  darwin: "386 amd64 arm arm64",
  dragonfly: "amd64",
  freebsd: "386 amd64 arm arm64",
  linux: "386 amd64 arm arm64 loong64 mips64 mips64le ppc64le riscv64 s390x",
  netbsd: "386 amd64 arm",
  openbsd: "386 amd64 arm",
  plan9: "386 amd64",
  solaris: "amd64",
  windows: "386 amd64 arm arm64",
};

export function isKnownPlatform({ os, architecture }: ListPlatform): boolean {
  return Object.hasOwn(known, os) && known[os]!.split(" ").includes(architecture);
}
