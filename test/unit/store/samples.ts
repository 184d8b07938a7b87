/** Directories and records for the tests of the store. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ContainerRecord } from "../../../src/container/record.ts";
import type { NewImage } from "../../../src/image/image-store.ts";
import type { ImageRecord } from "../../../src/image/record.ts";
import { chainIDs, type Digest, digestOf } from "../../../src/oci/digest.ts";
import { defaultSettings } from "../../../src/settings/container-settings.ts";
import { scratchDirectory } from "../../support/scratch.ts";

export interface Scratch extends Disposable {
  readonly path: string;
}

export function scratch(): Scratch {
  const path = mkdtempSync(join(scratchDirectory(), "rt-store-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** An image made of the digests of `name`'s parts; equal names give equal images. */
export function imageRecord(name: string, change: Partial<ImageRecord> = {}): ImageRecord {
  const part = (text: string) => digestOf(`${name} ${text}`);
  const diffIDs = [part("diff 0"), part("diff 1")];
  const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
  return {
    id: part("config"),
    manifest: {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: part("manifest"),
      size: 500,
    },
    configuration: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: part("config"),
      size: 900,
    },
    layers: [0, 1].map((n) => ({ mediaType, digest: part(`layer ${n}`), size: 1000 + n })),
    diffIDs,
    chain: chainIDs(diffIDs),
    config: {
      Env: ["PATH=/bin", "LANG=é"],
      Cmd: ["sh"],
      Labels: { "a.b": "c" },
      ExposedPorts: { "80/tcp": {} },
    },
    platform: { os: "linux", architecture: "amd64" },
    created: "2025-01-02T03:04:05Z",
    author: "",
    size: 12345,
    ...change,
  };
}

export function newImage(record: ImageRecord, names: readonly string[] = []): NewImage {
  return {
    record,
    tags: names.map((name) => ({ name, target: record.manifest.digest })),
    blobs: [record.manifest, record.configuration, ...record.layers],
  };
}

export function containerRecord(change: Partial<ContainerRecord> = {}): ContainerRecord {
  const id = change.id ?? "c".repeat(64);
  const { command: _, ...asked } = defaultSettings();
  return {
    id,
    name: "quiet_hopper",
    created: "2025-01-02T03:04:05.123456789Z",
    image: { id: digestOf("alpine config") as Digest, reference: "alpine" },
    chain: [],
    driver: "overlay",
    ...asked,
    args: ["sh", "-c", "echo"],
    entrypointLength: 1,
    env: ["A=b"],
    workingDirectory: "/",
    hostname: id.slice(0, 12),
    mounts: [{ type: "bind", source: "/tmp", destination: "/x", readonly: true, options: ["rbind"] }],
    devices: [],
    ulimits: [{ name: "nofile", soft: 10, hard: -1 }],
    platform: "linux/amd64",
    ...change,
  };
}
