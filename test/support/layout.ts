/**
 * Writes OCI image layouts for fixtures, with GNU tar for the layers: what is tested is not what made the test.
 *
 *   const layout = new LayoutWriter(dir);
 *   const base = await tarLayer(tree);
 *   await layout.image("gzip", { layers: [base], config: { Cmd: ["sh"] }, compression: "gzip" });
 *   await layout.close();                                       -> dir/{oci-layout,index.json,blobs/sha256/…}
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runBytes } from "./command.ts";

export type Compression = "plain" | "gzip" | "zstd";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
  annotations?: Record<string, string>;
}

export interface ImageSpec {
  /** Uncompressed tar archives, bottom first. */
  layers: readonly Uint8Array[];
  /** The config's `config` member. */
  config?: Record<string, unknown>;
  compression?: Compression;
  architecture?: string;
  os?: string;
}

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

const epoch = "2025-01-01T00:00:00Z";

/** A directory as a tar archive, with everything that GNU tar can keep. `extra` are more of tar's options. */
export function tarLayer(tree: string, extra: readonly string[] = []): Promise<Uint8Array> {
  const format = [
    "--format=pax",
    "--pax-option=delete=atime,delete=ctime",
    "--sparse",
    "--xattrs",
    "--xattrs-include=*",
  ];
  return runBytes([
    "tar",
    "-C",
    tree,
    "--numeric-owner",
    "--sort=name",
    ...format,
    ...extra,
    "-cf",
    "-",
    ".",
  ]);
}

export class LayoutWriter {
  readonly #dir: string;
  readonly #manifests: Descriptor[] = [];

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(join(dir, "blobs/sha256"), { recursive: true });
  }

  async blob(content: Uint8Array, mediaType: string): Promise<Descriptor> {
    const digest = digestOf(content);
    await Bun.write(join(this.#dir, "blobs", digest.replace(":", "/")), content);
    return { mediaType, digest, size: content.length };
  }

  json(value: unknown, mediaType: string): Promise<Descriptor> {
    return this.blob(new TextEncoder().encode(JSON.stringify(value)), mediaType);
  }

  /** Writes the image's blobs; `tag` puts it into the layout's index, null leaves it to an index of yours. */
  async image(tag: string | null, spec: ImageSpec): Promise<Descriptor> {
    const platform = { os: spec.os ?? "linux", architecture: spec.architecture ?? hostArchitecture() };
    const compression = spec.compression ?? "gzip";
    const layers: Descriptor[] = [];
    for (const tar of spec.layers)
      layers.push(await this.blob(compress(tar, compression), layerType(compression)));
    const config = await this.json(
      {
        created: epoch,
        ...platform,
        config: spec.config ?? {},
        rootfs: { type: "layers", diff_ids: spec.layers.map(digestOf) },
        history: spec.layers.map(() => ({ created: epoch, created_by: "rt test" })),
      },
      mediaTypes.config,
    );
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers };
    const descriptor = { ...(await this.json(manifest, mediaTypes.manifest)), platform };
    if (tag !== null) this.tag(tag, descriptor);
    return descriptor;
  }

  /** An index of several images, tagged. */
  async index(tag: string, manifests: Descriptor[]): Promise<Descriptor> {
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
    const descriptor = await this.json(index, mediaTypes.index);
    this.tag(tag, descriptor);
    return descriptor;
  }

  tag(tag: string, descriptor: Descriptor): void {
    this.#manifests.push({ ...descriptor, annotations: { "org.opencontainers.image.ref.name": tag } });
  }

  async close(): Promise<void> {
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: this.#manifests };
    await Bun.write(join(this.#dir, "index.json"), JSON.stringify(index));
    await Bun.write(join(this.#dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  }
}

export function digestOf(content: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(content).digest("hex")}`;
}

export function hostArchitecture(): "amd64" | "arm64" {
  return process.arch === "arm64" ? "arm64" : "amd64";
}

function layerType(compression: Compression): string {
  return compression === "plain" ? mediaTypes.layer : `${mediaTypes.layer}+${compression}`;
}

function compress(tar: Uint8Array, compression: Compression): Uint8Array {
  const bytes = new Uint8Array(tar);
  if (compression === "gzip") return Bun.gzipSync(bytes, { level: 6 });
  return compression === "zstd" ? Bun.zstdCompressSync(bytes, { level: 3 }) : bytes;
}
