import { readFileSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { RtError, withCause } from "../../base/errors.ts";
import { decompress, UnreadCompression } from "../../content/decompress.ts";
import type { TagRecord } from "../../image/image-store.ts";
import type { LayerProgress } from "../../image/transfer.ts";
import { compressionOf } from "../../oci/compression.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { documentBytesMax, quoted, shown } from "../../oci/json.ts";
import { chosen, parseDocument, type RawDocument } from "../../oci/manifest.ts";
import { formatPlatform, isArtifact } from "../../oci/platform.ts";
import { canonical, checkNewName, familiar, parse, type Reference } from "../../reference/reference.ts";
import type { Archive } from "../../source/archive-files.ts";
import { type ArchivedImage, imagesIn } from "../../source/archive-images.ts";
import { LayoutSource } from "../../source/layout.ts";
import { checkBytes } from "../../source/resolve.ts";
import type { Source } from "../../source/source.ts";
import { openTar } from "../../source/tar-files.ts";
import { collectRarely } from "../care/collect.ts";
import { keepWithinLimit } from "../care/limit.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";
import { bringImage } from "./bring.ts";
import { piecesOf, receiveArchive } from "./received-archive.ts";

export interface LoadOptions {
  /** A file; the caller's input unless it is given. */
  input?: string | undefined;
  /** Of an image for several: this machine's unless given. Of one for another: that one. */
  platform?: string | undefined;
  onProgress?: ((progress: LayerProgress) => void) | undefined;
  /** Told of each image when it is here. */
  onLoaded: (image: LoadedImage) => void;
}

export interface LoadedImage {
  id: Digest;
  /** Familiar; of one that the archive has no name for there are none. */
  names: string[];
  /** Names that were another image's before. */
  taken: { name: string; from: Digest }[];
}

/**
 * All images of an archive, each whole or not at all, under all of its names. A file is read where it lies; what can only be read
 * once, or is compressed, goes through received-archive.ts.
 * @throws RtError of any class; one line
 */
export async function loadImages(host: Host, asked: LoadOptions): Promise<void> {
  const { abort } = host.session;
  const received = new Received(asked.onProgress);
  const options = { ...asked, onProgress: received.tell };
  const files = await openArchive(host, options);
  try {
    const images = await imagesIn(files);
    if (images.length === 0) throw new RtError("not-found", `${files.name} holds no image`);
    const named = images.map((image) => ({ image, names: namesOf(image, files.name) }));
    const fresh: Digest[] = [];
    for (const { image, names } of named) {
      const loaded = await loadImage(host, files, image, names, options);
      fresh.push(loaded.id);
      options.onLoaded(loaded);
    }
    received.end();
    await keepWithinLimit(host, fresh);
    await collectRarely(host);
  } catch (error) {
    throw abort.aborted && abort.reason instanceof RtError ? interrupted(error, abort.reason) : error;
  } finally {
    await files.close();
  }
}

/** What has come through a pipe is told of before it is known which of it is a layer of an image for this machine. */
class Received {
  readonly #onProgress: LoadOptions["onProgress"];
  readonly #open = new Map<Digest, LayerProgress>();

  constructor(onProgress: LoadOptions["onProgress"]) {
    this.#onProgress = onProgress;
  }

  readonly tell = (progress: LayerProgress): void => {
    if (progress.status === "done" || progress.status === "exists") this.#open.delete(progress.layer);
    else this.#open.set(progress.layer, progress);
    this.#onProgress?.(progress);
  };

  end(): void {
    for (const progress of this.#open.values()) this.#onProgress?.({ ...progress, status: "exists" });
  }
}

function interrupted(cause: unknown, { exitCode }: RtError): RtError {
  const text = "load interrupted; what it had loaded so far is here";
  return new RtError("cancelled", text, { cause, exitCode });
}

async function loadImage(
  host: Host,
  files: Archive,
  image: ArchivedImage,
  names: readonly Reference[],
  { platform, onProgress }: LoadOptions,
): Promise<LoadedImage> {
  const source = new LayoutSource(files.name, "", files, await image.root());
  const tagsOf = (target: Digest): TagRecord[] => names.map((name) => ({ name: canonical(name), target }));
  const { abort: signal } = host.session;
  const wanted = platform ?? (await onlyPlatform(source));
  const before = names.map((name) => ({ name: familiar(name), from: host.images.idOf(canonical(name)) }));
  const how = { platform: wanted, onProgress, signal, keepsNothing: true };
  const { image: loaded } = await bringImage(host, source, tagsOf, how);
  imageEvent(host, "load", loaded.id, loaded.id);
  const taken = before.flatMap(({ name, from }) =>
    from !== undefined && from !== loaded.id ? [{ name, from }] : [],
  );
  return { id: loaded.id, names: names.map(familiar), taken };
}

/**
 * A mere tag tells of no repository, so that image has no name here.
 * @throws RtError data-loss: no reference; invalid-argument: a name that none can be given; both as docker has it
 */
function namesOf({ names }: ArchivedImage, what: string): Reference[] {
  return names.flatMap((name) => {
    if (!/[/:]/.test(name)) return [];
    const { domain, path, tag } = referenceOf(name, what);
    if (tag === undefined) return [];
    checkNewName({ domain, path, tag });
    return [{ domain, path, tag }];
  });
}

function referenceOf(name: string, what: string): Reference {
  try {
    return parse(name);
  } catch (error) {
    throw new RtError("data-loss", `${what} calls an image ${quoted(name)}: invalid reference format`, {
      cause: error,
    });
  }
}

/** What a single image is for, whichever machine this is: docker loads it too. Of several the machine's is wanted. */
async function onlyPlatform(source: Source): Promise<string | undefined> {
  let raw: RawDocument = await source.root();
  for (let depth = 0; depth < 4; depth++) {
    const what = `the manifest of ${source.name}`;
    const document = parseDocument(raw.bytes, raw.contentType, what);
    if (document.kind === "manifest") {
      const { config } = document;
      if (config.size > documentBytesMax) return undefined;
      const parts = await Array.fromAsync(source.fetch(config, 0));
      const bytes = Buffer.concat(parts);
      checkBytes(bytes, config, "config", source.name);
      const platform = parseImageConfig(bytes, `the config of ${source.name}`);
      return platform.architecture === "" ? undefined : formatPlatform(platform);
    }
    const [entry, ...others] = document.manifests.filter((each) => !isArtifact(each));
    if (!entry || others.length > 0) return undefined;
    const below = chosen(entry, what);
    raw = await source.document(below);
    checkBytes(raw.bytes, below, "manifest", source.name);
  }
  return undefined;
}

async function openArchive(host: Host, { input, onProgress }: LoadOptions): Promise<Archive> {
  const { session } = host;
  if (input !== undefined) return openInput(host, input, input, onProgress);
  const { stdio, abort } = session;
  if (stdio.kind === "streams") return receive(host, "the input", stdio.stdin ?? nothing(), onProgress);
  const path = `/proc/self/fd/${stdio.stdin}`;
  if (statSync(path).isFile() && isAtItsBeginning(stdio.stdin))
    return openInput(host, path, "the input", onProgress);
  return receive(host, "the input", piecesOf(stdio.stdin, abort), onProgress);
}

/** A file is read where it lies, unless it is compressed, or can be read only once. */
async function openInput(
  host: Host,
  path: string,
  what: string,
  onProgress: LoadOptions["onProgress"],
): Promise<Archive> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new RtError(
      "invalid-argument",
      `${shown(what)} is a directory: rt pull oci:DIRECTORY takes an OCI layout`,
    );
  const file = await open(path).catch((error) => {
    throw withCause(`cannot open ${shown(what)}`, error);
  });
  try {
    if ((await file.stat()).isFile() && compressionOf(await headOf(file)) === "tar")
      return await openTar(path, what);
    return await receive(host, what, piecesOf(file.fd, host.session.abort), onProgress);
  } finally {
    await file.close();
  }
}

async function headOf(file: FileHandle): Promise<Uint8Array> {
  return (await file.read(new Uint8Array(6), 0, 6, 0)).buffer;
}

async function receive(
  host: Host,
  what: string,
  chunks: AsyncIterable<Uint8Array>,
  onProgress: LoadOptions["onProgress"],
): Promise<Archive> {
  try {
    // The limit is a layer's, of which an archive may have many.
    const tar = await decompress(chunks, Number.POSITIVE_INFINITY);
    return await receiveArchive(host, what, tar, onProgress);
  } catch (error) {
    throw error instanceof UnreadCompression ? error.of(what) : error;
  }
}

/** Somebody may have read from it before us. proc_pid_fdinfo(5) */
function isAtItsBeginning(fd: number): boolean {
  return /^pos:\s*0$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"));
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
