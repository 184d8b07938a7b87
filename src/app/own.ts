import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { hexOf } from "../oci/digest.ts";
import { parseJson, shown, stringsIn } from "../oci/json.ts";
import { chosen, parseDocument } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { packedReference } from "../reference/kind.ts";
import { ownExecutable } from "./executable.ts";
import { annotations, packedPart } from "./format.ts";
import { PackedLayout } from "./packed-layout.ts";

/** What lies in a packed app; format.ts draws it. */
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
  const entry = index.kind === "index" && index.manifests.length === 1 ? index.manifests[0] : undefined;
  if (!entry) throw new RtError("data-loss", `${what}: index.json does not name one image`);
  const manifest = chosen(entry, `${what}: index.json`);
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
