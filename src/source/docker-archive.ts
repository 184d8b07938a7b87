import { RtError } from "../base/errors.ts";
import { compressionOf } from "../oci/compression.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import {
  arrayIn,
  documentBytesMax,
  fieldsIn,
  optionalIn,
  parseJson,
  shown,
  stringIn,
  stringsIn,
} from "../oci/json.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { canonical, parse } from "../reference/reference.ts";
import { LayoutSource } from "./layout.ts";
import { localNameOf } from "./local-name.ts";
import type { Source } from "./source.ts";
import { TarFiles } from "./tar-files.ts";

/** `docker-archive:FILE[:REF]`: what `docker save` writes; REF is a tag in it, or @N for the N-th image. */
export async function openDockerArchive(
  name: string,
  path: string,
  wanted: string | undefined,
): Promise<Source> {
  const tar = await TarFiles.open(path);
  return tar.closedOnError(() => dockerImage(name, path, wanted, tar));
}

interface SavedImage {
  config: string;
  tags: string[];
  layers: string[];
}

async function dockerImage(
  name: string,
  path: string,
  wanted: string | undefined,
  tar: TarFiles,
): Promise<Source> {
  const what = `${path}: manifest.json`;
  const list = arrayIn(parseJson(await readSmall(tar, "manifest.json", path), what), what).map(savedImageIn);
  const image = selectImage(list, wanted, name);
  const configBytes = await readSmall(tar, image.config, path);
  const config = {
    mediaType: mediaTypes.dockerConfig,
    digest: digestOf(configBytes),
    size: configBytes.length,
  };
  tar.alias(config.digest, configBytes);
  const layers: Descriptor[] = [];
  for (const layer of image.layers) layers.push(await layerDescriptor(tar, layer));
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config, layers };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const reference = localNameOf(path, image.tags.find((tag) => sameReference(tag, wanted)) ?? image.tags[0]);
  return new LayoutSource(name, reference, tar, { bytes, contentType: mediaTypes.dockerManifest });

  function savedImageIn(value: unknown): SavedImage {
    const field = fieldsIn(value, what);
    return {
      config: stringIn(field("Config"), `${what}: Config`),
      tags: optionalIn(field("RepoTags"), `${what}: RepoTags`, stringsIn) ?? [],
      layers: optionalIn(field("Layers"), `${what}: Layers`, stringsIn) ?? [],
    };
  }
}

function selectImage(images: readonly SavedImage[], wanted: string | undefined, name: string): SavedImage {
  const number = /^@([0-9]{1,6})$/.exec(wanted ?? "")?.[1];
  const found =
    number !== undefined
      ? images[Number(number)]
      : wanted !== undefined
        ? images.find(({ tags }) => tags.some((tag) => sameReference(tag, wanted)))
        : images[0];
  const tags = images.flatMap((image) => image.tags);
  const there = tags.length === 0 ? "no tags" : tags.slice(0, 8).map(shown).join(", ");
  if (wanted === undefined && images.length > 1) {
    throw new RtError("invalid-argument", `${name} holds ${images.length} images, name one of: ${there}`);
  }
  if (found) return found;
  throw new RtError("not-found", `${name}: no such image in the archive; it has ${there}`);
}

function sameReference(tag: string, wanted: string | undefined): boolean {
  if (wanted === undefined || wanted.startsWith("@")) return false;
  return (
    tag === wanted || tag === canonical(parse(wanted)) || canonicalOrSelf(tag) === canonical(parse(wanted))
  );
}

/** The archive's own words need not be a reference. */
function canonicalOrSelf(tag: string): string {
  try {
    return canonical(parse(tag));
  } catch (error) {
    if (error instanceof RtError) return tag;
    throw error;
  }
}

/** Reads the layer once, for its digest as stored; newer `docker save` may have stored it compressed. */
async function layerDescriptor(tar: TarFiles, layer: string): Promise<Descriptor> {
  const hasher = new Bun.CryptoHasher("sha256");
  let mediaType: string | undefined;
  for await (const chunk of tar.stream(layer, 0)) {
    mediaType ??= layerTypeOf(chunk);
    hasher.update(chunk);
  }
  const digest = `sha256:${hasher.digest("hex")}` as Digest;
  tar.alias(digest, layer);
  return { mediaType: mediaType ?? mediaTypes.dockerLayerTar, digest, size: await tar.sizeOf(layer) };
}

function layerTypeOf(start: Uint8Array): string {
  switch (compressionOf(start)) {
    case "gzip":
      return mediaTypes.dockerLayerGzip;
    case "zstd":
      return mediaTypes.dockerLayerZstd;
    default:
      return mediaTypes.dockerLayerTar;
  }
}

async function readSmall(tar: TarFiles, name: string, path: string): Promise<Uint8Array> {
  if ((await tar.sizeOf(name)) > documentBytesMax) {
    throw new RtError("exhausted", `${path}: ${shown(name)} is larger than ${documentBytesMax} bytes`);
  }
  const parts: Uint8Array[] = [];
  for await (const chunk of tar.stream(name, 0)) parts.push(chunk);
  return Buffer.concat(parts);
}
