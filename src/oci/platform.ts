import { RtError } from "../base/errors.ts";
import type { IndexEntry, Platform } from "./descriptor.ts";
import { quoted, shown } from "./json.ts";
import { isIndexType, isManifestType } from "./media-types.ts";

const architectureNames: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  x64: ["amd64"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
  i386: ["386"],
  i686: ["386"],
  ia32: ["386"],
};
const knownArchitectures = new Set(
  "amd64 arm64 arm 386 ppc64le ppc64 s390x riscv64 loong64 mips64le mips64 mips mipsle".split(" "),
);
const knownSystems = new Set(["linux", "windows", "darwin", "freebsd", "wasip1"]);

/**
 * "linux/arm64/v8", "linux/amd64", or one word of them ("arm64", "linux") filled up from `host`.
 * @throws invalid-argument
 */
export function parsePlatform(text: string, host: Platform): Platform {
  const parts = text.toLowerCase().split("/");
  const invalid = (why: string) =>
    new RtError("invalid-argument", `invalid platform ${quoted(text)}: ${why}`);
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]{1,64}$/.test(part))) {
    throw invalid("want OS/ARCHITECTURE[/VARIANT], as in linux/arm64/v8");
  }
  const [first, second, third] = parts as [string, string?, string?];
  if (second !== undefined)
    return normalize({ os: first, architecture: second, ...(third && { variant: third }) });
  if (knownSystems.has(first)) return normalize({ ...host, os: first });
  const alone = normalize({ os: "linux", architecture: first });
  if (!knownArchitectures.has(alone.architecture))
    throw invalid("neither an operating system nor an architecture");
  return alone;
}

/** What this process runs on, without a variant: `normalize({os: "linux", architecture: process.arch})`. */
export function hostPlatform(): Platform {
  return normalize({ os: "linux", architecture: process.arch });
}

/** One spelling for each platform: x86_64 -> amd64, aarch64 -> arm64; arm64/v8 and amd64/v1 carry no variant, arm has v7. */
export function normalize(platform: Platform): Platform {
  const given = platform.architecture.toLowerCase();
  const [architecture, impliedVariant] = Object.hasOwn(architectureNames, given)
    ? architectureNames[given]!
    : [given];
  let variant = platform.variant?.toLowerCase() || impliedVariant;
  if (variant !== undefined && /^[0-9]/.test(variant)) variant = `v${variant}`;
  if (architecture === "arm") variant ??= "v7";
  if ((architecture === "arm64" && variant === "v8") || (architecture === "amd64" && variant === "v1")) {
    variant = undefined;
  }
  const version = platform["os.version"];
  return {
    os: platform.os.toLowerCase(),
    architecture,
    ...(variant && { variant }),
    ...(version && { "os.version": version }),
  };
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return shown([os, architecture, ...(variant ? [variant] : [])].join("/"));
}

/** How well `offered` runs on `wanted`: 0 is exact, larger is an older variant, undefined does not run. */
function distance(offered: Platform, wanted: Platform): number | undefined {
  const have = normalize(offered);
  const want = normalize(wanted);
  if (have.os !== want.os || have.architecture !== want.architecture) return undefined;
  if (have.variant === want.variant) return 0;
  const steps = levelOf(want) - levelOf(have);
  return steps > 0 ? steps : undefined;
}

/** amd64 -> 1, amd64/v3 -> 3, arm64 -> 8, arm/v6 -> 6; NaN (comparable with nothing) for anything else. */
function levelOf({ architecture, variant }: Platform): number {
  if (variant === undefined) return architecture === "arm64" ? 8 : 1;
  return /^v[0-9]+(\.[0-9]+)?$/.test(variant) ? Number(variant.slice(1)) : Number.NaN;
}

export function matches(offered: Platform, wanted: Platform): boolean {
  return distance(offered, wanted) !== undefined;
}

/**
 * The entry of an index for `wanted`: an exact match, else the nearest lower variant, else the only entry that does not
 * say its platform. Attestations (unknown/unknown), artifacts and documents that are neither manifest nor index are never
 * chosen.
 *
 * @throws unsupported, with a list of what there is
 */
export function choose(entries: readonly IndexEntry[], wanted: Platform, what: string): IndexEntry {
  const usable = entries.filter(
    (entry) => (isManifestType(entry.mediaType) || isIndexType(entry.mediaType)) && !isArtifact(entry),
  );
  let best: { entry: IndexEntry; steps: number } | undefined;
  for (const entry of usable) {
    const steps = entry.platform && distance(entry.platform, wanted);
    if (steps !== undefined && (best === undefined || steps < best.steps)) best = { entry, steps };
  }
  if (best) return best.entry;
  const silent = usable.filter((entry) => entry.platform === undefined);
  if (silent.length === 1) return silent[0]!;
  const offered = [
    ...new Set(usable.flatMap((entry) => (entry.platform ? [formatPlatform(entry.platform)] : []))),
  ];
  throw new RtError(
    "unsupported",
    `${what} has no image for ${formatPlatform(wanted)}: it has ${list(offered)}; choose one with --platform`,
  );
}

/** Is this entry about an image rather than one itself? */
export function isArtifact(entry: IndexEntry): boolean {
  return (
    (entry.artifactType !== undefined && entry.platform === undefined) ||
    entry.platform?.os === "unknown" ||
    entry.platform?.architecture === "unknown" ||
    entry.annotations?.["vnd.docker.reference.type"] === "attestation-manifest"
  );
}

function list(offered: string[]): string {
  if (offered.length === 0) return "none at all";
  return offered.length <= 12
    ? offered.join(", ")
    : `${offered.slice(0, 12).join(", ")} and ${offered.length - 12} more`;
}
