import { statSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { packedReference } from "../base/packed.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { hexOf } from "../oci/digest.ts";
import { parseJson, shown, stringsIn } from "../oci/json.ts";
import { parseDocument } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { type FilePart, PackedLayout, readPart } from "./packed-layout.ts";

/**
 * A packed app: this executable with an image in it, one file.
 *
 *   the executable as it was built | zeros up to a page | packed layout (layout-pack.ts) | trailer
 *                                                        oci-layout, index.json, manifest, config, layers bottom first
 *
 *   trailer, 24 bytes at the very end: "rt-pack1", u64 LE offset, u64 LE length of the layout
 *
 * Whoever starts an executable with a trailer finds RT_PACKED="<offset>,<length>" in its environment. It is set by the code
 * that runs before us, never the caller's own. How the container is to be run stands in the index's annotations.
 */
export interface PackedApp {
  /** What its image is called in the store: "embed:packed-<12 digits of the manifest>". */
  reference: string;
  manifest: Descriptor;
  /** Flags of `rt run`, in the order in which they were given: "--env=KEY=VALUE". */
  flags: string[];
  /** Replaces the image's Cmd when not empty, and is itself replaced by the app's arguments. */
  command: string[];
  files: PackedLayout;
}

/** The file that a process executes, whatever has become of its name. */
export const ownExecutable = "/proc/self/exe";

/** Of the index; each a JSON list of strings. */
export const annotations = { flags: "rt.pack.flags", command: "rt.pack.command" } as const;

export const pageBytes = 4096;
const magic = "rt-pack1";
export const trailerBytes = 24;

export function trailer({ offset, length }: FilePart): Uint8Array {
  const bytes = Buffer.alloc(trailerBytes);
  bytes.write(magic, 0, "latin1");
  bytes.writeBigUInt64LE(BigInt(offset), 8);
  bytes.writeBigUInt64LE(BigInt(length), 16);
  return bytes;
}

/**
 * The layout within the executable `path`, or undefined where it has no trailer.
 * @throws data-loss: a trailer that cannot be right
 */
export function packedPart(path: string): FilePart | undefined {
  const { size } = statSync(path);
  if (size < trailerBytes) return undefined;
  const bytes = Buffer.from(readPart(path, { offset: size - trailerBytes, length: trailerBytes }, path));
  if (bytes.toString("latin1", 0, 8) !== magic) return undefined;
  const offset = Number(bytes.readBigUInt64LE(8));
  const length = Number(bytes.readBigUInt64LE(16));
  if (offset > 0 && offset % pageBytes === 0 && offset + length + trailerBytes === size)
    return { offset, length };
  throw new RtError("data-loss", "this app is damaged: its end does not fit its length. Get it anew");
}

let own: PackedApp | undefined;

/**
 * The app that is running, or undefined when it is none. Read once: nobody can write to a file while it is executed.
 * @throws data-loss
 */
export function ownApp(): PackedApp | undefined {
  const word = process.env.RT_PACKED;
  if (word !== undefined) own ??= openPackedApp(word);
  return own;
}

/** The app that `word`, the value of RT_PACKED, speaks of. @throws data-loss */
export function openPackedApp(word: string, path: string = ownExecutable): PackedApp {
  const part = packedPart(path);
  if (part === undefined || word !== `${part.offset},${part.length}`) {
    throw new RtError(
      "data-loss",
      `this app is damaged: RT_PACKED is ${shown(word)}, which its end does not say`,
    );
  }
  const what = "this app is damaged";
  const files = new PackedLayout(path, part, what);
  const index = parseDocument(files.document("index.json"), mediaTypes.ociIndex, `${what}: index.json`);
  const manifest = index.kind === "index" && index.manifests.length === 1 ? index.manifests[0] : undefined;
  if (!manifest) throw new RtError("data-loss", `${what}: index.json does not name one image`);
  const words = (key: string) => {
    const place = `${what}: ${key}`;
    return stringsIn(parseJson(Buffer.from(index.annotations[key] ?? "[]"), place), place);
  };
  return {
    reference: `${packedReference}-${hexOf(manifest.digest).slice(0, 12)}`,
    manifest,
    flags: words(annotations.flags),
    command: words(annotations.command),
    files,
  };
}
