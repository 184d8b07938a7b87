/** A source and a snapshot driver of a few lines, to see what pull makes of them. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { Host } from "../../../src/engine/host.ts";
import type { Descriptor, Platform } from "../../../src/oci/descriptor.ts";
import { type Digest, digestOf, hexOf } from "../../../src/oci/digest.ts";
import type { RawDocument } from "../../../src/oci/manifest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import type {
  SnapshotDriver,
  UnpackRequest,
  UnpackResult,
  WrittenLayer,
} from "../../../src/snapshot/snapshot.ts";
import { resolveImage } from "../../../src/source/resolve.ts";
import type { ResolvedImage, Source } from "../../../src/source/source.ts";
import { testSession } from "../../support/session.ts";

const layerType = "application/vnd.oci.image.layer.v1.tar";

export interface FakeImage {
  reference: string;
  layers: Uint8Array[];
  /** Instead of the right ones. */
  diffIDs?: Digest[];
  mediaType?: string;
  config?: Record<string, unknown>;
}

/** What a source does to the chunks of a layer; throws to break the transfer off. */
export type Meddler = (
  chunk: Uint8Array,
  layer: Descriptor,
  offset: number,
) => Uint8Array | Promise<Uint8Array>;

export class FakeSource implements Source {
  readonly name: string;
  readonly reference: string;
  readonly image: { target: Digest; manifest: { config: Descriptor; layers: Descriptor[] } };
  /** Bytes that were asked for and given, by layer. */
  readonly fetched = new Map<Digest, number>();
  closed = false;
  meddle: Meddler = (chunk) => chunk;
  chunkSize = 4096;
  readonly #manifest: Uint8Array;
  readonly #config: Uint8Array;
  readonly #layers = new Map<Digest, Uint8Array>();

  constructor({ reference, layers, diffIDs, mediaType = layerType, config = {} }: FakeImage) {
    this.name = reference;
    this.reference = reference;
    const describe = (type: string, bytes: Uint8Array): Descriptor => {
      return { mediaType: type, digest: digestOf(bytes), size: bytes.length };
    };
    for (const layer of layers) this.#layers.set(digestOf(layer), layer);
    this.#config = json({
      os: "linux",
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      created: "2025-01-02T03:04:05Z",
      config,
      rootfs: { type: "layers", diff_ids: diffIDs ?? layers.map((layer) => digestOf(layer)) },
    });
    const manifest = {
      config: describe(mediaTypes.ociConfig, this.#config),
      layers: layers.map((layer) => describe(mediaType, layer)),
    };
    this.#manifest = json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...manifest });
    this.image = { target: digestOf(this.#manifest), manifest };
  }

  async resolve(platform: Platform): Promise<ResolvedImage> {
    const fetch = async function* (this: FakeSource) {
      yield this.#config;
    }.bind(this);
    return resolveImage({ name: this.name, fetch }, await this.root(), () => this.document(), platform);
  }

  async root(): Promise<RawDocument> {
    return { bytes: this.#manifest, contentType: mediaTypes.ociManifest };
  }

  document(): Promise<RawDocument> {
    return Promise.reject(new Error("it is no index"));
  }

  async *fetch(layer: Descriptor, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const bytes = this.#layers.get(layer.digest)!;
    for (let at = offset; at < bytes.length; at += this.chunkSize) {
      signal?.throwIfAborted();
      const chunk = await this.meddle(bytes.slice(at, at + this.chunkSize), layer, at);
      this.fetched.set(layer.digest, (this.fetched.get(layer.digest) ?? 0) + chunk.length);
      yield chunk;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** "Unpacks" plain layers by checking them: a snapshot is a directory with the layer's bytes in one file. */
export class FakeDriver implements SnapshotDriver {
  readonly name = "copy" as const;
  readonly parallel: boolean;
  readonly unpacked: Digest[] = [];
  readonly #root: string;

  constructor(root: string, parallel = true) {
    this.#root = join(root, "snapshots");
    this.parallel = parallel;
  }

  path(chain: Digest): string {
    return join(this.#root, hexOf(chain));
  }

  has(chain: Digest): boolean {
    return existsSync(this.path(chain));
  }

  async unpack({
    chain,
    diffID,
    parents,
    parentReady,
    source,
    signal,
  }: UnpackRequest): Promise<UnpackResult> {
    if (!this.parallel && parents.length > 0 && !this.has(parents.at(-1)!)) throw new Error("no parent yet");
    let state = { size: 0, done: false };
    while (!state.done) state = await source.more(state.size);
    const bytes = readFileSync(source.path);
    if (digestOf(bytes) !== diffID) throw new RtError("data-loss", `the archive's digest is not ${diffID}`);
    await parentReady;
    signal?.throwIfAborted();
    if (parents.length > 0 && !this.has(parents.at(-1)!)) throw new Error("the parent is not committed");
    const draft = `${this.path(chain)}.${crypto.randomUUID()}`;
    mkdirSync(draft, { recursive: true });
    writeFileSync(join(draft, "layer"), bytes);
    if (this.has(chain)) rmSync(draft, { recursive: true });
    else renameSync(draft, this.path(chain));
    this.unpacked.push(chain);
    return { size: bytes.length };
  }

  async prepare(key: string): Promise<void> {
    mkdirSync(join(this.#root, `active-${key}`), { recursive: true });
  }

  async mapsLayers(): Promise<boolean> {
    return true;
  }

  rootfs(key: string) {
    return { type: "bind", source: join(this.#root, `active-${key}`) } as const;
  }

  layers(): string[] {
    return [];
  }

  async seed(): Promise<boolean> {
    return false;
  }

  async sync(): Promise<void> {}

  async removeActive(key: string): Promise<void> {
    rmSync(join(this.#root, `active-${key}`), { recursive: true, force: true });
  }

  async removeCommitted(chain: Digest): Promise<void> {
    rmSync(this.path(chain), { recursive: true, force: true });
  }

  list(): { active: string[]; committed: Digest[] } {
    const names = existsSync(this.#root) ? readdirSync(this.#root) : [];
    return {
      active: names.filter((name) => name.startsWith("active-")).map((name) => name.slice("active-".length)),
      committed: names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((hex) => `sha256:${hex}` as Digest),
    };
  }

  async changes(): Promise<[]> {
    return [];
  }

  async commit(): Promise<never> {
    throw new Error("nothing was changed here");
  }

  /** What it was made of. */
  async remake(chain: readonly Digest[], file: number): Promise<WrittenLayer> {
    const bytes = readFileSync(join(this.path(chain.at(-1)!), "layer"));
    writeSync(file, bytes, 0, bytes.length, 0);
    return { digest: digestOf(bytes), bytes: bytes.length, leftOut: 0 };
  }

  async differences(): Promise<[]> {
    return [];
  }

  treeOf(chain: Digest): string {
    return this.path(chain);
  }

  async usage(): Promise<{ bytes: number; inodes: number }> {
    return { bytes: 0, inodes: 0 };
  }
}

/** `length` bytes that are nobody else's. */
export function layerBytes(seed: string, length = 50_000): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 32) {
    bytes.set(
      Buffer.from(hexOf(digestOf(`${seed} ${at}`)), "hex").subarray(0, Math.min(32, length - at)),
      at,
    );
  }
  return bytes;
}

/** @param config text of the configuration file */
export function fakeHost(
  directory: string,
  parallel = true,
  config?: string,
): Host & { driver: FakeDriver; warnings: string[] } {
  const root = join(directory, "root");
  const driver = new FakeDriver(root, parallel);
  const session = testSession();
  const file = join(directory, "config.toml");
  if (config !== undefined) writeFileSync(file, config);
  const options = { root, state: join(directory, "state"), env: {}, snapshots: driver };
  const host = new Host(session, { ...options, ...(config !== undefined && { config: file }) });
  return Object.assign(host, { driver, warnings: session.warnings });
}
