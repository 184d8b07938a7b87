/**
 * Images both ways with other people's programs, those of Debian: docker-registry and skopeo give what rt takes, and take
 * what rt gives. A digest that is the same at the other end is the measure. What needs docker and podman is test/peers/.
 */
import { afterAll, expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { contentOf } from "../cli/image-world.ts";
import { oneLine } from "../cli/world.ts";
import { run, runBytes } from "../support/command.ts";
import { FakeRegistry, tinyImage } from "../support/fake-registry.ts";
import { testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { type Descriptor, digestOf, hostArchitecture } from "../support/layout.ts";
import {
  eStargz,
  fivePlatforms,
  foreignLayer,
  layersMax,
  manyLayers,
  noLayers,
  type OddImage,
  platforms,
  zstdChunked,
} from "../support/odd-images.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs, tool } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry", "skopeo", "tar", "busybox"] });

interface Odd {
  name: string;
  /** Puts it into the registry; answers the digest of what is to go out again: a manifest for this machine. */
  put: (reference: string) => Promise<string>;
  /** What follows `rt run --rm`, before and behind the image. */
  flags?: string[];
  line: string[];
  prints: string;
  /** Its layers are not all in a registry: a copy cannot be made from there. */
  isPartial?: true;
  isDockers?: true;
}

const odd: Odd[] = [
  {
    name: "127 layers",
    put: (reference) => putLayout(manyLayers(), reference),
    line: ["sh", "-c", `ls layers | wc -l; cat layers/${layersMax - 1}`],
    prints: `${layersMax - 1}\nlayer ${layersMax - 1}\n`,
  },
  {
    name: "no layers",
    put: (reference) => putLayout(noLayers(), reference),
    flags: ["-v", `${tool("busybox")}:/busybox:ro`],
    line: ["/busybox", "echo", "it runs"],
    prints: "it runs\n",
  },
  {
    name: "a foreign layer",
    put: (reference) => putLayout(foreignLayer(), reference),
    line: ["cat", "/licensed"],
    prints: "of somebody else\n",
    isPartial: true,
  },
  {
    name: "five platforms with attestations",
    put: (reference) => putLayout(fivePlatforms(), reference),
    line: ["cat", "/etc/platform"],
    prints: `${platforms.find((each) => each.startsWith(hostArchitecture()))}\n`,
  },
  {
    name: "eStargz",
    put: (reference) => putLayout(eStargz(), reference),
    line: ["sh", "-c", "cat /lazy/one; wc -c < /lazy/two"],
    prints: "one\n4000\n",
  },
  {
    name: "zstd:chunked",
    put: (reference) => putLayout(zstdChunked(), reference),
    line: ["sh", "-c", "cat /lazy/one; wc -c < /lazy/two"],
    prints: "one\n4000\n",
  },
  {
    name: "Docker's v2s2",
    put: (reference) => putBusybox(reference, "--format", "v2s2"),
    isDockers: true,
    line: ["echo", "it runs"],
    prints: "it runs\n",
  },
];

let dir: string;
let registry: Registry;

beforeAll(async () => {
  dir = await mkdtemp(join(scratchDirectory(), "rt-out-"));
  registry = await startRegistry();
}, 240_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  if (dir) await rm(dir, { recursive: true, force: true });
});

for (const { name, put, flags = [], line, prints, isPartial, isDockers } of odd) {
  const repository = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");

  test(`${name}: from docker-registry, run, and back to it with the same digest`, async () => {
    await using host = await testHost();
    const image = `${registry.address}/in/${repository}:1`;
    const digest = await put(`in/${repository}:1`);
    await host.ok(["pull", "-q", image]);
    expect(await host.ok(["run", "--rm", "--network", "none", ...flags, image, ...line])).toBe(prints);
    const back = `${registry.address}/back/${repository}:1`;
    const said = await host.ok(["push", image, back]);
    expect(said.trimEnd().split("\n").at(-1)).toMatch(new RegExp(`^1: digest: ${digest} size: [0-9]+$`));
    expect(await digestAt(`docker://${back}`)).toBe(digest);
    if (!isPartial) await skopeo(`docker://${back}`, `dir:${dir}/${repository}-back`);
  });

  test(`${name}: saved, read by skopeo, loaded elsewhere, run`, async () => {
    await using host = await testHost();
    const image = `${registry.address}/in/${repository}:1`;
    await put(`in/${repository}:1`);
    await host.ok(["pull", "-q", image]);
    const id = (await host.ok(["images", "-q", "--no-trunc"])).trim();
    const file = join(host.dir, "saved.tar");
    await host.ok(["save", "-o", file, image]);
    expect(await configDigest(`docker-archive:${file}`)).toBe(id);
    await skopeo(`docker-archive:${file}`, `dir:${dir}/${repository}-saved`);
    await using other = await testHost();
    expect(await other.ok(["load", "-q", "-i", file])).toBe(`Loaded image: ${image}\n`);
    expect((await other.ok(["images", "-q", "--no-trunc"])).trim()).toBe(id);
    expect(await other.ok(["run", "--rm", "--network", "none", ...flags, image, ...line])).toBe(prints);
  });

  test(`${name}: an archive that skopeo copies keeps its digest`, async () => {
    await using host = await testHost();
    const image = `${registry.address}/in/${repository}:1`;
    const digest = await put(`in/${repository}:1`);
    await host.ok(["pull", "-q", image]);
    const file = join(host.dir, "image.tar");
    await host.ok(["push", image, `oci-archive:${file}:1`]);
    // skopeo looks for OCI's documents alone in a layout; what came as Docker's stays Docker's.
    if (!isDockers) expect(await digestAt(`oci-archive:${file}:1`)).toBe(digest);
    await using other = await testHost();
    await other.ok(["pull", "-q", `oci-archive:${file}`]);
    const called = "localhost/image:1";
    expect(await other.ok(["run", "--rm", "--network", "none", ...flags, called, ...line])).toBe(prints);
  });
}

test("of an image whose layers are here in another compression the blobs come too: it goes out as it came", async () => {
  await using host = await testHost();
  const { layout, tag } = await zstdChunked();
  const digest = await pushLayout(layout, tag, registry, "compressed:zstd");
  await skopeo(`oci:${layout}:${tag}`, `dir:${dir}/plain`, "--dest-decompress");
  await skopeo(
    `dir:${dir}/plain`,
    `docker://${registry.address}/compressed:gzip`,
    "--dest-compress-format",
    "gzip",
  );
  const gzip = await digestAt(`docker://${registry.address}/compressed:gzip`);
  expect(gzip).not.toBe(digest);
  for (const each of ["zstd", "gzip"])
    await host.ok(["pull", "-q", `${registry.address}/compressed:${each}`]);
  await host.ok(["system", "prune", "-f"]);
  // In a repository of another registry nothing can be mounted.
  await using other = await startRegistry();
  for (const [from, wanted] of [
    ["zstd", digest],
    ["gzip", gzip],
  ] as const) {
    const to = `${other.address}/compressed:${from}`;
    await host.ok(["push", `${registry.address}/compressed:${from}`, to]);
    expect(await digestAt(`docker://${to}`)).toBe(wanted);
  }
});

test("what skopeo saves is loaded", async () => {
  await using host = await testHost();
  const file = join(host.dir, "skopeo.tar");
  await skopeo(`oci:${await busyboxLayout()}:latest`, `docker-archive:${file}:example.org/team/app:2`);
  const id = await configDigest(`docker-archive:${file}`);
  expect(await host.ok(["load", "-i", file])).toBe("Loaded image: example.org/team/app:2\n");
  expect(await host.ok(["images", "-q", "--no-trunc"])).toBe(`${id}\n`);
});

test("schema 1 is refused by name, and nothing of it stays", async () => {
  await using host = await testHost();
  await using fake = await FakeRegistry.start();
  const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  const manifest = { schemaVersion: 1, name: "old", tag: "1", fsLayers: [], history: [], signatures: [] };
  const image = tinyImage();
  const bytes = Buffer.from(JSON.stringify(manifest));
  const name = fake.push("old", "1", { ...image, documents: [{ bytes, mediaType: type }] });
  const { code, stderr } = await host.rt(["pull", name]);
  expect(oneLine(stderr)).toContain("schema 1");
  expect(code).toBe(125);
  expect(contentOf(host)).toEqual([]);
});

function skopeo(from: string, to: string, ...flags: string[]): Promise<string> {
  const insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  return run(["skopeo", "--insecure-policy", "copy", "--quiet", ...insecure, ...flags, from, to]);
}

async function digestAt(place: string): Promise<string> {
  return digestOf(await runBytes(["skopeo", "inspect", "--tls-verify=false", "--raw", place]));
}

async function configDigest(place: string): Promise<string> {
  return digestOf(await runBytes(["skopeo", "inspect", "--tls-verify=false", "--config", "--raw", place]));
}

async function putLayout(image: Promise<OddImage>, reference: string): Promise<string> {
  const { layout, tag } = await image;
  const digest = await pushLayout(layout, tag, registry, reference);
  const blob = Bun.file(join(layout, "blobs", digest.replace(":", "/")));
  const document: { manifests?: Descriptor[] } = await blob.json();
  const own = document.manifests?.find(({ platform }) => platform?.architecture === hostArchitecture());
  return own?.digest ?? digest;
}

/** The small image as skopeo writes it with these flags. */
async function putBusybox(reference: string, ...flags: string[]): Promise<string> {
  const made = await mkdtemp(join(dir, "made-"));
  await skopeo(`oci:${await busyboxLayout()}:latest`, `dir:${made}`, ...flags);
  const place = `docker://${registry.address}/${reference}`;
  await skopeo(`dir:${made}`, place);
  return digestAt(place);
}
