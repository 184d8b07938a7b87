import { statSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { type FilePart, readPart } from "./packed-layout.ts";

/**
 * A packed app: this executable with an image in it, one file.
 *
 *   the executable as it was built | zeros up to a page | packed layout (layout-format.ts) | trailer
 *                                                        oci-layout, index.json, manifest, config, layers bottom first
 *
 *   trailer, 56 bytes at the very end: SHA-256 of all before the layout, "rt-pack2", u64 LE offset, u64 LE length of it
 *
 * The executable is as it was built but for its ELF header's padding, which says "rt-app1" (zig-native/start/app.zig).
 *
 * Whoever starts an executable with a trailer finds RT_PACKED="<offset>,<length>" in its environment. It is set by the code
 * that runs before us, never the caller's own. How the container is to be run stands in the index's annotations.
 */

/** Of the index; each a JSON list of strings. */
export const annotations = { flags: "rt.pack.flags", command: "rt.pack.command" } as const;

export const pageBytes = 4096;
const magic = "rt-pack2";
const digestBytes = 32;
const trailerBytes = digestBytes + 24;

/** The mark of an app, and where it stands: EI_PAD of the ELF header. */
export const mark: FilePart & { bytes: Uint8Array } = {
  offset: 9,
  length: 7,
  bytes: Buffer.from("rt-app1", "latin1"),
};

/** `sha256`: of what precedes the layout. */
export function trailer({ offset, length }: FilePart, sha256: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(trailerBytes);
  bytes.set(sha256);
  bytes.write(magic, digestBytes, "latin1");
  bytes.writeBigUInt64LE(BigInt(offset), digestBytes + 8);
  bytes.writeBigUInt64LE(BigInt(length), digestBytes + 16);
  return bytes;
}

/** What an app's layout and the executable before it are to be. */
export interface AppPart extends FilePart {
  /** Hex, of what precedes the layout. */
  sha256: string;
}

/**
 * The layout within the executable `path`, or undefined where it has no trailer.
 * @throws data-loss: a trailer that cannot be right
 */
export function packedPart(path: string): AppPart | undefined {
  const { size } = statSync(path);
  if (size < trailerBytes) return undefined;
  const bytes = Buffer.from(readPart(path, { offset: size - trailerBytes, length: trailerBytes }, path));
  if (bytes.toString("latin1", digestBytes, digestBytes + 8) !== magic) return undefined;
  const offset = Number(bytes.readBigUInt64LE(digestBytes + 8));
  const length = Number(bytes.readBigUInt64LE(digestBytes + 16));
  if (offset > 0 && offset % pageBytes === 0 && offset + length + trailerBytes === size)
    return { offset, length, sha256: bytes.toString("hex", 0, digestBytes) };
  throw new RtError("data-loss", "this app is damaged: its end does not fit its length. Get it anew");
}
