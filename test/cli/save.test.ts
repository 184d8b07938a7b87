/** `rt save`: what others read, byte for byte what came in, and nothing of what failed. */
import { afterAll, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runBytes } from "../support/command.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { digestOf, hostArchitecture, LayoutWriter, mediaTypes } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { contentOf, fileLayer } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["skopeo", "tar", "busybox"] });

const traced = needs({ root: true, tools: ["busybox", "strace"] });

const busybox = "localhost/layout:latest";
let host: TestHost;

beforeAll(async () => {
  host = await testHost();
  await host.ok(["pull", "-q", `oci:${await busyboxLayout()}`]);
}, 240_000);
afterAll(() => host?.[Symbol.asyncDispose]());

const at = (name: string) => join(host.dir, name);
const inTar = async (file: string, name: string) =>
  JSON.parse(new TextDecoder().decode(await runBytes(["tar", "-xOf", file, name])));
const namesIn = async (file: string) => (await run(["tar", "-tf", file])).trim().split("\n");
const skopeo = (...args: string[]) => run(["skopeo", "--insecure-policy", ...args]);

/** A layout with these images of one small layer each, pulled. */
async function pulled(name: string, images: Record<string, Uint8Array[]>): Promise<void> {
  const layout = new LayoutWriter(at(name));
  for (const [tag, layers] of Object.entries(images)) await layout.image(tag, { layers, config: {} });
  await layout.close();
  for (const tag of Object.keys(images)) await host.ok(["pull", "-q", `oci:${at(name)}:${tag}`]);
}

test("docker's tar: a layout with manifest.json beside it, compressed as it came", async () => {
  const file = at("one.tar");
  expect(await host.ok(["save", "-o", file, busybox])).toBe("");
  const source: { manifests: { digest: string; size: number }[] } = await Bun.file(
    join(await busyboxLayout(), "index.json"),
  ).json();
  const [{ digest, size } = { digest: "", size: 0 }] = source.manifests;
  expect(await inTar(file, "index.json")).toEqual({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      {
        ...{ mediaType: mediaTypes.manifest, digest, size },
        annotations: {
          "io.containerd.image.name": "localhost/layout:latest",
          "org.opencontainers.image.ref.name": "latest",
        },
      },
    ],
  });
  const manifest = await inTar(file, `blobs/${digest.replace(":", "/")}`);
  const path = (blob: { digest: string }) => `blobs/${blob.digest.replace(":", "/")}`;
  expect(await inTar(file, "manifest.json")).toEqual([
    { Config: path(manifest.config), RepoTags: [busybox], Layers: manifest.layers.map(path) },
  ]);
  expect(await inTar(file, "oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
  for (const name of (await namesIn(file)).filter((each) => each.startsWith("blobs/")))
    expect(digestOf(await runBytes(["tar", "-xOf", file, name]))).toBe(`sha256:${name.slice(13)}`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("the same images are the same bytes, into a file and into a pipe", async () => {
  await host.ok(["save", "-o", at("file.tar"), busybox]);
  const { stdoutBytes } = await host.rt(["save", busybox]);
  expect(digestOf(stdoutBytes)).toBe(digestOf(readFileSync(at("file.tar"))));
});

test("skopeo reads it as docker's and as OCI's, and has the same digests", async () => {
  const file = at("skopeo.tar");
  await host.ok(["save", "-o", file, busybox]);
  const wanted = await skopeo("inspect", "--raw", `oci:${await busyboxLayout()}:latest`);
  expect(await skopeo("inspect", "--raw", `oci-archive:${file}:latest`)).toBe(wanted);
  const id = (await host.ok(["images", "-q", "--no-trunc", busybox])).trim();
  const [docker, oci] = [at("from-docker"), at("from-oci")];
  await skopeo("copy", "-q", `docker-archive:${file}:${busybox}`, `dir:${docker}`);
  await skopeo("copy", "-q", `oci-archive:${file}:latest`, `dir:${oci}`);
  for (const each of [docker, oci])
    expect((await Bun.file(join(each, "manifest.json")).json()).config.digest).toBe(id);
  expect(readdirSync(oci)).toEqual(
    expect.arrayContaining(
      JSON.parse(wanted).layers.map((layer: { digest: string }) => layer.digest.slice(7)),
    ),
  );
});

test("several images share their blobs; a repository is all of its tags, an ID has no name", async () => {
  const shared = fileLayer("shared", 5000);
  await pulled("team", { "1": [shared], "2": [shared, fileLayer("own", 100)], "3": [fileLayer("x", 9)] });
  const file = at("team.tar");
  const id = (await host.ok(["images", "-q", "--no-trunc", "localhost/team:3"])).trim();
  await host.ok(["save", "-o", file, "localhost/team:1", "localhost/team:2", id]);
  const tags = (items: { RepoTags: string[] | null }[]) => items.map(({ RepoTags }) => RepoTags);
  expect(tags(await inTar(file, "manifest.json"))).toEqual([
    ["localhost/team:1"],
    ["localhost/team:2"],
    null,
  ]);
  const names = await namesIn(file);
  expect(new Set(names).size).toBe(names.length);
  await host.ok(["save", "-o", file, "localhost/team"]);
  expect(tags(await inTar(file, "manifest.json"))).toEqual(
    ["1", "2", "3"].map((tag) => [`localhost/team:${tag}`]),
  );
  await host.ok(["save", "-o", file, "localhost/team:1", "localhost/team:1"]);
  expect(tags(await inTar(file, "manifest.json"))).toEqual([["localhost/team:1"]]);
});

test("--format: a layout alone, in a tar or in a directory that is added to", async () => {
  const wanted = await skopeo("inspect", "--raw", `oci:${await busyboxLayout()}:latest`);
  await host.ok(["save", "--format", "oci-archive", "-o", at("oci.tar"), busybox]);
  expect(await namesIn(at("oci.tar"))).not.toContain("manifest.json");
  expect(await skopeo("inspect", "--raw", `oci-archive:${at("oci.tar")}`)).toBe(wanted);
  await pulled("more", { "1": [fileLayer("f", 10)] });
  await host.ok(["save", "--format", "oci-dir", "-o", at("dir"), busybox]);
  await host.ok(["save", "--format", "oci-dir", "-o", at("dir"), "localhost/more:1"]);
  const { manifests } = JSON.parse(readFileSync(at("dir/index.json"), "utf8"));
  expect(manifests.map((each: { annotations: object }) => Object.values(each.annotations))).toEqual([
    ["localhost/layout:latest"],
    ["localhost/more:1"],
  ]);
});

test("--uncompressed: each layer is a plain tar whose digest is its diffID, in every form, and load takes it", async () => {
  const layers = [fileLayer("f", 100_000), fileLayer("g", 9)];
  const layout = new LayoutWriter(at("packed"));
  for (const [tag, compression] of [
    ["1", "gzip"],
    ["2", "zstd"],
  ] as const)
    await layout.image(tag, { layers, config: {}, compression });
  await layout.close();
  const names = ["localhost/packed:1", "localhost/packed:2"];
  for (const tag of ["1", "2"]) await host.ok(["pull", "-q", `oci:${at("packed")}:${tag}`]);
  const before = contentOf(host);
  const file = at("plain.tar");
  await host.ok(["save", "--uncompressed", "-o", file, ...names]);
  const digests = layers.map(digestOf);
  for (const item of await inTar(file, "manifest.json")) {
    expect(item.Layers).toEqual(digests.map((digest) => `blobs/${digest.replace(":", "/")}`));
    expect((await inTar(file, item.Config)).rootfs.diff_ids).toEqual(digests);
    for (const name of item.Layers)
      expect(`sha256:${name.slice(13)}`).toBe(digestOf(await runBytes(["tar", "-xOf", file, name])));
  }
  expect((await namesIn(file)).filter((name) => name.startsWith("blobs/"))).toHaveLength(4);
  for (const format of ["oci-archive", "oci-dir"]) {
    await host.ok(["save", "--uncompressed", "--format", format, "-o", at(format), names[0]!]);
    const kind = format.replace("oci-dir", "oci");
    const shown = JSON.parse(await skopeo("inspect", "--raw", `${kind}:${at(format)}:${names[0]}`));
    expect(shown.layers.map(({ digest }: { digest: string }) => digest)).toEqual(digests);
  }
  // Nothing of what was made stays in the store.
  expect(contentOf(host)).toEqual(before);
  await using other = await testHost();
  expect(await other.ok(["load", "-i", file])).toBe(names.map((name) => `Loaded image: ${name}\n`).join(""));
  const ids = (on: TestHost) => on.ok(["images", "-q", "--no-trunc", names[0]!]);
  expect(await ids(other)).toBe(await ids(host));
});

test("--platform: the image for it, where it is here", async () => {
  const layout = new LayoutWriter(at("several"));
  const own = hostArchitecture();
  const image = (architecture: string) =>
    layout.image(null, { layers: [fileLayer(architecture, 10)], config: {}, architecture });
  await layout.index("1", [await image(own), await image("s390x")]);
  await layout.close();
  const name = "localhost/several:1";
  await host.ok(["pull", "-q", `oci:${at("several")}:1`]);
  const file = at("platform.tar");
  for (const platform of [[], ["--platform", `linux/${own}`]]) {
    await host.ok(["save", ...platform, "-o", file, name]);
    expect(JSON.parse(await skopeo("inspect", "--config", `oci-archive:${file}`)).architecture).toBe(own);
  }
  for (const platform of ["linux/s390x", `linux/${own},linux/s390x`]) {
    const other = await host.rt(["save", "--platform", platform, "-o", at("none.tar"), name]);
    expect([oneLine(other.stderr), other.code]).toEqual([expect.stringMatching(/linux\/s390x/), 125]);
    expect(existsSync(at("none.tar"))).toBe(false);
  }
});

test("a terminal is refused in docker's words", async () => {
  await using terminal = host.pty(["save", busybox]);
  expect(await terminal.exited).toBe(1);
  expect(terminal.screen.text).toBe(
    "rt: cowardly refusing to save to a terminal. Use the -o flag or redirect\r\n",
  );
});

test("what cannot be: one line, and what was there stays as it was", async () => {
  mkdirSync(at("directory"));
  writeFileSync(at("kept.tar"), "before");
  const wrong: [args: string[], line: RegExp, code: number][] = [
    [["save", "-o", at("kept.tar"), "nosuch"], /No such image: nosuch/, 1],
    [["save", "-o", at("kept.tar"), busybox, "nosuch:1"], /No such image: nosuch:1/, 1],
    [["save", "-o", at("directory"), busybox], /it is a directory/, 1],
    [["save", "-o", "/dev/null", busybox], /it is no regular file/, 1],
    [
      ["save", "-o", at("nowhere/x.tar"), busybox],
      /^cannot write \S*\/x\.tar: there is no directory \S*\/nowhere$/,
      125,
    ],
    [["save", "--format", "zip", "-o", at("kept.tar"), busybox], /zip.*docker-archive/, 125],
    [["save", "--format", "oci-dir", busybox], /needs -o/, 125],
    [["save", "-o", at("kept.tar")], /IMAGE/, 125],
    [["save", "-o", at("kept.tar"), "--platform", "plan9/x/y/z", busybox], /plan9/, 125],
  ];
  for (const [args, line, code] of wrong) {
    const result = await host.rt(args);
    expect([args, oneLine(result.stderr), result.code]).toEqual([args, expect.stringMatching(line), code]);
  }
  expect(readFileSync(at("kept.tar"), "utf8")).toBe("before");
  expect(readdirSync(host.dir).filter((name) => name.endsWith(".part"))).toEqual([]);
});

test("a full disk: one line, and nothing of it", async () => {
  mkdirSync(at("small"));
  await run(["mount", "-t", "tmpfs", "-o", "size=64k", "rt-small", at("small")]);
  try {
    const { stderr, code } = await host.rt(["save", "-o", at("small/x.tar"), busybox]);
    expect([oneLine(stderr), code]).toEqual([expect.stringMatching(/no space left/i), 125]);
    expect(readdirSync(at("small"))).toEqual([]);
  } finally {
    await run(["umount", at("small")]);
  }
});

test("a blob that has changed on the disk is noticed, not handed on", async () => {
  await pulled("rotten", { "1": [fileLayer("f", 3000)] });
  const { layers } = JSON.parse(await skopeo("inspect", "--raw", `oci:${at("rotten")}:1`));
  const path = join(host.root, "content/blobs/sha256", layers[0].digest.slice(7));
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  await run(["chmod", "600", path]);
  writeFileSync(path, bytes);
  const { stderr, code } = await host.rt(["save", "-o", at("rotten.tar"), "localhost/rotten:1"]);
  expect([oneLine(stderr), code]).toEqual([expect.stringContaining(layers[0].digest), 125]);
  expect(existsSync(at("rotten.tar"))).toBe(false);
  await host.ok(["rmi", "localhost/rotten:1"]);
});

test("nobody reads the pipe: it ends, with a status that says so", async () => {
  const script = `'${process.env.RT_BINARY || "dist/rt"}' save ${busybox} | head -c 100 >/dev/null; echo "\${PIPESTATUS[0]}"`;
  expect((await run(["bash", "-c", script], { env: host.env })).trim()).not.toBe("0");
});

traced.test("what takes the place of a file is on disk by then", async () => {
  const file = at("synced.tar");
  writeFileSync(file, "before");
  const calls = at("calls");
  const strace = ["strace", "-f", "-qq", "--decode-fds=path", "-e", "trace=fsync,rename", "-o", calls];
  await host.ok(["save", "-o", file, busybox], { front: strace });
  const order = readFileSync(calls, "utf8").match(new RegExp(`(fsync|rename)\\(\\S*${file}\\.part`, "g"));
  expect(order?.map((call) => call.split("(")[0])).toEqual(["fsync", "rename"]);
});
