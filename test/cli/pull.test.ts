/** Pulls from a real registry, as people's images lie in one. What comes out is said in docker's words. */
import { afterAll, expect } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { testHost } from "../support/host.ts";
import { busyboxLayout, helloLayout } from "../support/images.ts";
import { LayoutWriter, tarLayer } from "../support/layout.ts";
import { pushLayout, pushWithSkopeo } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { blobDownloads, contentOf, snapshotsOf, storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry", "skopeo", "tar", "busybox"] });

let registry: Registry;
let layouts: string;
/** Digests by "repository:tag". */
const digests: Record<string, string> = {};

beforeAll(async () => {
  registry = await startRegistry();
  layouts = await mkdtemp(join(scratchDirectory(), "rt-pull-"));
  const busybox = await busyboxLayout();
  await pushWithSkopeo(busybox, "latest", registry, "busybox:v2s2", { format: "v2s2" });
  digests.oci = await pushLayout(busybox, "latest", registry, "busybox:oci");
  digests.multi = await pushLayout(await helloLayout(), "latest", registry, "team/hello:multi");
  const layout = join(layouts, "layout");
  await compressions(layout);
  for (const tag of ["gzip", "zstd", "plain", "child"])
    digests[tag] = await pushLayout(layout, tag, registry, `small:${tag}`);
}, 120_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  if (layouts) await rm(layouts, { recursive: true, force: true });
});

/** Three layers in each compression; "child" has a fourth on top. */
async function compressions(dir: string): Promise<void> {
  const layers: Uint8Array[] = [];
  for (const index of [0, 1, 2, 3]) {
    const tree = join(layouts, `tree-${index}`);
    await mkdir(join(tree, "etc"), { recursive: true });
    await Bun.write(
      join(tree, `etc/file-${index}`),
      crypto.getRandomValues(new Uint8Array(200_000 >> index)),
    );
    layers.push(await tarLayer(tree, ["--owner=0", "--group=0"]));
  }
  const layout = new LayoutWriter(dir);
  for (const compression of ["gzip", "zstd", "plain"] as const) {
    await layout.image(compression, {
      layers: layers.slice(0, 3),
      compression,
      config: { Labels: { compression } },
    });
  }
  await layout.image("child", { layers, compression: "gzip", config: { Labels: { child: "yes" } } });
  await layout.close();
}

const named = (name: string) => `${registry.address}/${name}`;

test("docker's lines: what is pulled, a line for each layer, digest and status", async () => {
  await using host = await testHost();
  const name = named("small:gzip");
  const lines = (await host.ok(["pull", name])).trimEnd().split("\n");
  expect(lines[0]).toBe("gzip: Pulling from small");
  for (const line of lines.slice(1, 4)) expect(line).toMatch(/^[0-9a-f]{12}: Pull complete$/);
  expect(lines.slice(4)).toEqual([
    `Digest: ${digests.gzip}`,
    `Status: Downloaded newer image for ${name}`,
    name,
  ]);
  const before = blobDownloads(registry).length;
  const again = (await host.ok(["pull", name])).trimEnd().split("\n");
  for (const line of again.slice(1, 4)) expect(line).toMatch(/^[0-9a-f]{12}: Already exists$/);
  expect(again.slice(4)).toEqual([
    `Digest: ${digests.gzip}`,
    `Status: Image is up to date for ${name}`,
    name,
  ]);
  // The config is asked for, to know what the image is; no layer is.
  expect(blobDownloads(registry).length - before).toBeLessThanOrEqual(1);
});

test("quiet: the name alone", async () => {
  await using host = await testHost();
  expect(await host.ok(["pull", "-q", named("small:gzip")])).toBe(`${named("small:gzip")}\n`);
  expect(await host.ok(["image", "pull", "--quiet", named("small:gzip")])).toBe(`${named("small:gzip")}\n`);
});

for (const [tag, type] of [
  ["busybox:v2s2", "Docker v2s2 from skopeo"],
  ["busybox:oci", "OCI"],
] as const) {
  test(`${type}: pulled and run`, async () => {
    await using host = await testHost();
    const name = named(tag);
    await host.ok(["pull", "-q", name]);
    expect(await host.ok(["run", "--rm", name, "sh", "-c", "echo it runs"])).toBe("it runs\n");
  });
}

for (const tag of ["gzip", "zstd", "plain"] as const) {
  test(`layers as ${tag}: the image is whole, and the same for every compression`, async () => {
    await using host = await testHost();
    await host.ok(["pull", "-q", named(`small:${tag}`)]);
    const [image] = JSON.parse(await host.ok(["image", "inspect", named(`small:${tag}`)]));
    expect(image.RootFS.Layers).toHaveLength(3);
    expect(image.Config.Labels).toEqual({ compression: tag });
    expect(image.RepoTags).toEqual([named(`small:${tag}`)]);
    expect(image.RepoDigests).toEqual([`${named("small")}@${digests[tag]}`]);
    expect(snapshotsOf(host).filter((path) => path.includes("/committed/"))).toHaveLength(3);
    expect(contentOf(host).filter((path) => path.startsWith("ingest/"))).toEqual([]);
    expect(contentOf(host)).toHaveLength(5); // three layers, config, manifest
  });
}

test("by digest, and by tag and digest: the digest decides", async () => {
  await using host = await testHost();
  const byDigest = named(`small@${digests.gzip}`);
  const lines = (await host.ok(["pull", byDigest])).split("\n");
  expect(lines[0]).toBe(`${digests.gzip}: Pulling from small`);
  expect(lines).toContain(`Digest: ${digests.gzip}`);
  expect(await host.ok(["images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"])).toBe(
    `${named("small")} <none> ${digests.gzip}\n`,
  );
  await host.ok(["pull", "-q", named(`small:child@${digests.plain}`)]);
  const [image] = JSON.parse(await host.ok(["image", "inspect", named(`small@${digests.plain}`)]));
  expect(image.Config.Labels).toEqual({ compression: "plain" });
  expect(image.RepoTags).toEqual([]);
});

test("an index: this machine's platform, another, and one that there is not", async () => {
  await using host = await testHost();
  const name = named("team/hello:multi");
  const own = process.arch === "x64" ? "amd64" : process.arch;
  const other = own === "amd64" ? "arm64" : "amd64";
  const architecture = async () =>
    (await host.ok(["image", "inspect", "-f", "{{.Architecture}}", name])).trim();
  expect(await host.ok(["pull", name])).toContain(`Digest: ${digests.multi}\n`);
  expect(await architecture()).toBe(own);
  await host.ok(["pull", "-q", "--platform", `linux/${other}`, name]);
  expect(await architecture()).toBe(other);
  const before = contentOf(host);
  const { code, stdout, stderr } = await host.rt(["pull", "--platform", "linux/s390x", name]);
  expect(stdout).toBe("");
  expect(oneLine(stderr)).toBe(
    `${name} has no image for linux/s390x: it has linux/arm64/v8, linux/amd64; choose one with --platform`,
  );
  expect(code).toBe(125);
  expect(contentOf(host)).toEqual(before);
  const bad = await host.rt(["pull", "--platform", "linux//x", name]);
  expect(oneLine(bad.stderr)).toContain('"linux//x"');
  expect(bad.code).toBe(125);
});

test("the wrong platform of a single image is refused with what it is for", async () => {
  await using host = await testHost();
  const { code, stderr } = await host.rt(["pull", "--platform", "linux/s390x", named("busybox:oci")]);
  expect(oneLine(stderr)).toMatch(/is for linux\/(amd64|arm64), not linux\/s390x/);
  expect(code).toBe(125);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("of an image that shares layers only what is new is fetched", async () => {
  await using host = await testHost();
  await host.ok(["pull", "-q", named("small:gzip")]);
  const before = blobDownloads(registry);
  const output = await host.ok(["pull", named("small:child")]);
  expect(output.match(/Already exists/g)).toHaveLength(3);
  expect(output.match(/Pull complete/g)).toHaveLength(1);
  expect(blobDownloads(registry).slice(before.length)).toHaveLength(2); // a config and one layer
});

test("what does not exist, in one line", async () => {
  await using host = await testHost();
  const cases: [string, RegExp][] = [
    ["none:latest", /\/none has no manifest latest \("manifest unknown"\)$/],
    ["small:none", /\/small has no manifest none \("manifest unknown"\)$/],
    [`small@sha256:${"0".repeat(64)}`, /\/small has no manifest sha256:0{64}/],
  ];
  for (const [name, line] of cases) {
    const { code, stdout, stderr } = await host.rt(["pull", named(name)]);
    expect(stdout).toBe("");
    expect(oneLine(stderr)).toMatch(line);
    expect(code).toBe(125);
  }
  for (const name of ["UPPER/case", "a b", "x:", "x@sha256:12", "-x", ""]) {
    const { code, stderr } = await host.rt(["pull", "--", name]);
    oneLine(stderr);
    expect(code).toBe(125);
  }
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("fifty pulls of one image at once: each blob is downloaded once, and all succeed", async () => {
  await using host = await testHost();
  const before = blobDownloads(registry);
  const name = named("small:gzip");
  const results = await Promise.all(
    Array.from({ length: 50 }, () => host.rt(["pull", "-q", name], { timeoutMs: 90_000 })),
  );
  for (const { code, stdout, stderr } of results) {
    expect(
      stderr.split("\n").filter((line) => line !== "" && !line.includes("waiting for another rt")),
    ).toEqual([]);
    expect(stdout).toBe(`${name}\n`);
    expect(code).toBe(0);
  }
  const [image] = JSON.parse(
    await Bun.file(`${layouts}/layout/blobs/${digests.gzip!.replace(":", "/")}`)
      .text()
      .then((text) => `[${text}]`),
  );
  const layers: string[] = image.layers.map(({ digest }: { digest: string }) => digest);
  const counts = layers.map(
    (layer) =>
      blobDownloads(registry)
        .slice(before.length)
        .filter((each) => each === layer).length,
  );
  expect(counts).toEqual([1, 1, 1]);
  expect(contentOf(host).filter((path) => path.startsWith("ingest/"))).toEqual([]);
  expect(snapshotsOf(host)).toHaveLength(3);
}, 120_000);
