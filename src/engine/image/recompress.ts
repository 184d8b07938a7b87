import { RtError } from "../../base/errors.ts";
import { formChoice } from "../../content/compress.ts";
import type { Recompression } from "../../image/recompress.ts";
import { RecompressedStore } from "../../image/recompressed-store.ts";
import type { LayerCompression } from "../../oci/compression.ts";
import type { Digest } from "../../oci/digest.ts";
import { quoted } from "../../oci/json.ts";
import { kindOf } from "../../reference/kind.ts";
import type { Source } from "../../source/source.ts";
import type { Host } from "../host.ts";
import { defaultLayerSizeMax } from "./unpack.ts";

/** As podman's flags of these names. */
export interface CompressionOptions {
  /** "gzip", "zstd" or "uncompressed": what layers become that are otherwise. */
  compression?: string | undefined;
  compressionLevel?: number | undefined;
  /** Also those that are so compressed already. */
  forceCompression?: boolean | undefined;
}

/** Of a layer as it is here: its new digest, under which it travels, is known when all of it is made. */
export interface CompressProgress {
  layer: Digest;
  status: "compressing" | "compressed";
  current: number;
  total: number;
}

const forms: Readonly<Record<string, LayerCompression>> = { gzip: "gzip", zstd: "zstd", uncompressed: "tar" };

/**
 * What is to be done to layers on their way to `where`. Unasked, what is not compressed goes to a registry as gzip, as everybody's
 * does; to all else goes what is here.
 * @throws RtError invalid-argument
 */
export function recompression(where: string, options: CompressionOptions): Recompression | undefined {
  const { compression, compressionLevel, forceCompression = false } = options;
  const isAsked = compression !== undefined || compressionLevel !== undefined || forceCompression;
  if (!isAsked && kindOf(where).kind !== "registry") return undefined;
  const form = Object.hasOwn(forms, compression ?? "gzip") ? forms[compression ?? "gzip"] : undefined;
  if (!form) {
    const text = `--compression is gzip, zstd or uncompressed, not ${quoted(compression ?? "")}`;
    throw new RtError("invalid-argument", text);
  }
  const choice = formChoice(form, compressionLevel);
  if (forceCompression) return { choice, of: "all" };
  return { choice, of: compression === undefined ? "uncompressed" : "others" };
}

/** `source` with its layers in that form. It must be closed: what was made for it is there until then. */
export async function inForm(
  host: Host,
  source: Source,
  how: Recompression | undefined,
  onProgress: (progress: CompressProgress) => void,
): Promise<Source> {
  if (!how) return source;
  const { RecompressedSource } = await import("../../image/recompress.ts");
  const content = await host.content();
  // A push that was killed had made its layers, and may have sent them: then this one makes none that would take those away.
  content.removeDeadDrafts();
  return new RecompressedSource(source, how, {
    content,
    layerSizeMax: (await host.config()).maxLayerSize ?? defaultLayerSizeMax,
    known: new RecompressedStore(host.database),
    warn: (line) => host.warn(line),
    onProgress: ({ digest: layer, size: total }, current) =>
      onProgress({ layer, status: current < total ? "compressing" : "compressed", current, total }),
    signal: host.session.abort,
  });
}
