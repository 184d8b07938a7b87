/**
 * What the text that names an image speaks of. A kind is a row here, a file in src/source, and its line in source/open.ts.
 *
 *   alpine:3.20, docker://alpine:3.20        a registry's, by a reference
 *   oci:DIRECTORY[:TAG]                      an OCI layout
 *   oci-archive:FILE[:TAG]                   the same in a tar
 *   docker-archive:FILE[:REFERENCE]          what `docker save` writes
 *   embed:NAME                               an image in this executable
 *   ssh://[USER@]HOST[:PORT][/IMAGE]         an image of another host's rt
 */
const nearKinds = ["oci", "oci-archive", "docker-archive", "embed"] as const;

export type NearKind = (typeof nearKinds)[number];
export type SourceKind = "registry" | "ssh" | NearKind;

export interface SourceName {
  kind: SourceKind;
  /** The reference, or what follows "KIND:". */
  rest: string;
}

/** What people call the image in the executable that is running. */
export const packedReference = "embed:packed";

/** @returns what `text` is by its beginning alone: that the rest is well formed is for others to find */
export function kindOf(text: string): SourceName {
  if (text.startsWith("docker://")) return { kind: "registry", rest: text.slice("docker://".length) };
  if (isSsh(text)) return { kind: "ssh", rest: text.slice(sshFront.length) };
  const kind = nearKinds.find((each) => text.startsWith(`${each}:`));
  return kind ? { kind, rest: text.slice(kind.length + 1) } : { kind: "registry", rest: text };
}

const sshFront = "ssh://";

/** Is it another host's rt that it speaks of? An ordinary user's command is outside of his namespace then (zig-native/start/user.zig). */
export function isSsh(text: string): boolean {
  return text.startsWith(sshFront);
}

/**
 * Is it no registry's: in a file, in this executable, or another rt's? A file is read anew each time, what is embedded is never
 * far, and who names a host wants what is there now: none is missed.
 */
export function isNear(text: string): boolean {
  return kindOf(text).kind !== "registry";
}
