/** Every kind of destination, each by the suite in destination.ts. */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDestination } from "../../src/destination/open.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { canonical, type Reference } from "../../src/reference/reference.ts";
import { openSource } from "../../src/source/open.ts";
import { FakeRegistry } from "../support/fake-registry.ts";
import { startRegistry } from "../support/registry.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { startSshd } from "../support/sshd.ts";
import { type DestinationKind, destinationContract, type Place } from "./destination.ts";

const options = { config: { registries: new Map() }, env: {}, warn: () => {} };

const ociLayout: DestinationKind = {
  name: "oci:",
  adds: true,
  onDisk: true,
  async open(directory) {
    const layout = join(directory, "layout");
    const text = (tag: string | undefined) => `oci:${layout}:${tag}`;
    return {
      destination: ({ tag }) => openDestination(text(tag), options),
      source: ({ tag }) => openSource(text(tag), options),
      files: () => (existsSync(layout) ? readdirSync(join(layout, "blobs/sha256")) : []),
      async [Symbol.asyncDispose]() {},
    };
  },
};

function archive(
  kind: "oci-archive" | "docker-archive",
  called: (name: Reference) => string,
): DestinationKind {
  return {
    name: `${kind}:`,
    adds: false,
    onDisk: true,
    async open(directory) {
      const text = (name: Reference) => `${kind}:${join(directory, "images.tar")}:${called(name)}`;
      return {
        destination: (name) => openDestination(text(name), options),
        source: (name) => openSource(text(name), options),
        files: () => readdirSync(directory),
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}
const ociArchive = archive("oci-archive", ({ tag }) => tag!);
const dockerArchive = archive("docker-archive", canonical);

/** @param where of a repository's host: "127.0.0.1:5000" */
async function inRegistry(where: string, registry: AsyncDisposable): Promise<Place> {
  const text = ({ path, tag }: Reference) => `${where}/${path}:${tag}`;
  return {
    destination: (name) => openDestination(text(name), options),
    source: (name) => openSource(text(name), options),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

const fakeRegistry: DestinationKind = {
  name: "a registry of ours",
  adds: true,
  onDisk: false,
  async open() {
    const registry = await FakeRegistry.start();
    return inRegistry(registry.host, registry);
  },
};

const dockerRegistry: DestinationKind = {
  name: "docker-registry",
  needs: { tools: ["docker-registry"] },
  adds: true,
  onDisk: false,
  async open() {
    const registry = await startRegistry();
    return inRegistry(registry.address, registry);
  },
};

const ssh: DestinationKind = {
  name: "ssh:",
  needs: { root: true, tools: ["ssh", "sshd", "ssh-keygen"] },
  adds: true,
  onDisk: false,
  asks: true,
  async open(directory) {
    const box = await startSshd({ RT_ROOT: join(directory, "root"), RT_STATE: join(directory, "state") });
    const there = { ...options, env: { ...process.env, RT_SSH: box.ssh } };
    return {
      destination: (name) => openDestination(`ssh://box/${canonical(name)}`, there),
      source: (name) => openSource(`ssh://box/${canonical(name)}`, there),
      [Symbol.asyncDispose]: () => box[Symbol.asyncDispose](),
    };
  },
};

/** What other tools have written into an index stays. */
test("oci: what stands in index.json besides our entry is kept", async () => {
  const directory = mkdtempSync(join(scratchDirectory(), "rt-layout-"));
  try {
    const entry = { mediaType: "application/x", digest: `sha256:${"0".repeat(64)}`, size: 7, data: "e30=" };
    const annotations = { "com.example.note": "kept" };
    const before = { schemaVersion: 2, manifests: [entry], annotations, artifactType: "application/y" };
    writeFileSync(join(directory, "index.json"), JSON.stringify(before));
    await using destination = await openDestination(`oci:${directory}:1`, options);
    await destination.commit();
    const after = JSON.parse(readFileSync(join(directory, "index.json"), "utf8"));
    expect(after).toEqual({ ...before, mediaType: mediaTypes.ociIndex });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

for (const kind of [ociLayout, ociArchive, dockerArchive, fakeRegistry, dockerRegistry, ssh])
  destinationContract(kind);
