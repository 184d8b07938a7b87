import type { FileHandle } from "node:fs/promises";
import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import {
  arrayIn,
  documentBytesMax,
  fieldsIn,
  optional,
  parseJson,
  quoted,
  shown,
  stringIn,
  stringsIn,
} from "../oci/json.ts";
import { mediaTypes } from "../oci/media-types.ts";
import { canonical, parse } from "../reference/reference.ts";
import { openRegular, readRange } from "./file-range.ts";
import { type LayoutFiles, LayoutSource, openLayout } from "./layout.ts";
import { localNameOf, type NamedSource } from "./named-source.ts";
import { indexTar, type TarEntry } from "./tar-index.ts";

/** `oci-archive:FILE[:TAG]`: an OCI layout in a tar. */
export async function openOciArchive(
  name: string,
  path: string,
  tag: string | undefined,
): Promise<NamedSource> {
  const tar = await TarFiles.open(path);
  return tar.closedOnError(() => openLayout(name, path, tag, tar));
}

/** `docker-archive:FILE[:REF]`: what `docker save` writes; REF is a tag in it, or @N for the N-th image. */
export async function openDockerArchive(
  name: string,
  path: string,
  wanted: string | undefined,
): Promise<NamedSource> {
  const tar = await TarFiles.open(path);
  return tar.closedOnError(() => dockerImage(name, path, wanted, tar));
}

/** The files of a tar by name. */
class TarFiles implements LayoutFiles {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #entries: ReadonlyMap<string, TarEntry>;
  /** Names that a source gives to entries that have another one in the archive, or none. */
  readonly #aliases = new Map<string, TarEntry | Uint8Array>();

  private constructor(path: string, file: FileHandle, entries: ReadonlyMap<string, TarEntry>) {
    this.path = path;
    this.#file = file;
    this.#entries = entries;
  }

  static async open(path: string): Promise<TarFiles> {
    const file = await openRegular(path, path, true);
    try {
      const { buffer: magic } = await file.read(new Uint8Array(6), 0, 6, 0);
      if (compressed(magic)) throw new RtError("unsupported", `${path} is compressed: decompress it first`);
      return new TarFiles(path, file, await indexTar(file, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async closedOnError<T>(use: () => Promise<T>): Promise<T> {
    try {
      return await use();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async sizeOf(name: string): Promise<number> {
    const entry = this.#find(name);
    return entry instanceof Uint8Array ? entry.length : entry.size;
  }

  async *stream(name: string, offset: number): AsyncGenerator<Uint8Array> {
    const entry = this.#find(name);
    if (entry instanceof Uint8Array) yield entry.subarray(offset);
    else yield* readRange(this.#file, entry.offset + offset, entry.size - offset, `${this.path}: ${name}`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  alias(digest: Digest, target: string | Uint8Array): void {
    const entry = typeof target === "string" ? this.#find(target) : target;
    this.#aliases.set(`blobs/${digest.replace(":", "/")}`, entry);
  }

  /** Follows links a few steps, as keys: old `docker save` writes a repeated layer as one. */
  #find(name: string): TarEntry | Uint8Array {
    const alias = this.#aliases.get(name);
    if (alias) return alias;
    let key = name;
    for (let steps = 0; steps < 8; steps++) {
      const entry = this.#entries.get(key);
      if (!entry) break;
      if (!entry.targets) return entry;
      key = entry.targets.find((target) => this.#entries.has(target)) ?? "";
    }
    throw new RtError("not-found", `${this.path}: ${quoted(name)} does not exist`);
  }
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
): Promise<NamedSource> {
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
      tags: optional(field("RepoTags"), `${what}: RepoTags`, stringsIn) ?? [],
      layers: optional(field("Layers"), `${what}: Layers`, stringsIn) ?? [],
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
  switch (compressed(start)) {
    case "gzip":
      return mediaTypes.dockerLayerGzip;
    case "zstd":
      return mediaTypes.dockerLayerZstd;
    default:
      return mediaTypes.dockerLayerTar;
  }
}

function compressed(start: Uint8Array): "gzip" | "zstd" | "other" | undefined {
  const starts = (...magic: number[]) => magic.every((byte, i) => start[i] === byte);
  if (starts(0x1f, 0x8b)) return "gzip";
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  return starts(0x42, 0x5a, 0x68) || starts(0xfd, 0x37, 0x7a, 0x58) ? "other" : undefined;
}

async function readSmall(tar: TarFiles, name: string, path: string): Promise<Uint8Array> {
  if ((await tar.sizeOf(name)) > documentBytesMax) {
    throw new RtError("exhausted", `${path}: ${shown(name)} is larger than ${documentBytesMax} bytes`);
  }
  const parts: Uint8Array[] = [];
  for await (const chunk of tar.stream(name, 0)) parts.push(chunk);
  return Buffer.concat(parts);
}
