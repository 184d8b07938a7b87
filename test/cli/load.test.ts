/** `rt load`: what docker, podman and skopeo write, from a file and from a pipe, and what nobody honest writes. */
import { afterAll, expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestOf, hexOf } from "../../src/oci/digest.ts";
import { run } from "../support/command.ts";
import { json, type TestImage } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { hostArchitecture, LayoutWriter } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { archive, type Member, member, paxRecords } from "../support/tar.ts";
import { contentOf, fileLayer, imageOf, storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["skopeo", "tar", "busybox", "mount"] });

const busybox = "localhost/layout:latest";
let host: TestHost;
let saved: Uint8Array;

beforeAll(async () => {
  host = await testHost();
  await host.ok(["pull", "-q", `oci:${await busyboxLayout()}`]);
  await host.ok(["save", "-o", at("saved.tar"), busybox]);
  saved = readFileSync(at("saved.tar"));
}, 240_000);
afterAll(() => host?.[Symbol.asyncDispose]());

const at = (name: string) => join(host.dir, name);
const skopeo = (...args: string[]) => run(["skopeo", "--insecure-policy", ...args]);

/** Each way of reading: where it lies, once from its beginning to its end, and in between. */
const ways: [way: string, load: (on: TestHost, tar: Uint8Array) => ReturnType<TestHost["rt"]>][] = [
  [
    "-i FILE",
    (on, tar) => {
      writeFileSync(join(on.dir, "input.tar"), tar);
      return on.rt(["load", "-i", join(on.dir, "input.tar")]);
    },
  ],
  ["a pipe", (on, tar) => on.rt(["load"], { stdin: tar, front: ["sh", "-c", 'cat | exec "$0" "$@"'] })],
];

async function loaded(on: TestHost, tar: Uint8Array): Promise<string[]> {
  const answers: string[] = [];
  for (const [way, load] of ways) {
    const { code, stdout, stderr } = await load(on, tar);
    expect([way, stderr, code]).toEqual([way, "", 0]);
    answers.push(stdout);
    if (answers.length < ways.length) await on.ok(["image", "prune", "-af"]);
  }
  return answers;
}

/** Refused in each way, in one line, and nothing of it is left. */
async function refused(on: TestHost, what: string, tar: Uint8Array, line: RegExp): Promise<void> {
  for (const [way, load] of ways) {
    const { code, stderr } = await load(on, tar);
    expect([what, way, oneLine(stderr), code]).toEqual([what, way, expect.stringMatching(line), 125]);
    expect([what, way, ...(await storeIsEmpty(on))]).toEqual([what, way]);
  }
}

/** The older form: manifest.json and what it names, as docker wrote it before 25. */
function olderForm(
  images: { image: TestImage; tags: string[] | null }[],
  edit = (list: object[]) => list,
): Member[] {
  const name = (bytes: Uint8Array) => hexOf(digestOf(bytes));
  const list = images.map(({ image, tags }) => ({
    Config: `${name(image.config)}.json`,
    RepoTags: tags,
    Layers: image.layers.map((layer) => `${name(layer)}/layer.tar`),
  }));
  return [
    ...images.flatMap(({ image }) => [
      ...image.layers.flatMap((layer) => [
        { name: `${name(layer)}/VERSION`, content: "1.0" },
        { name: `${name(layer)}/json`, content: "{}" },
        { name: `${name(layer)}/layer.tar`, content: layer },
      ]),
      { name: `${name(image.config)}.json`, content: image.config },
    ]),
    { name: "manifest.json", content: json(edit(list)) },
    { name: "repositories", content: "{}" },
  ];
}

test("what rt saved: the same digests, names and files, from a file and from a pipe, plain or compressed", async () => {
  await using other = await testHost();
  const forms = {
    plain: saved,
    gzip: Bun.gzipSync(new Uint8Array(saved)),
    zstd: Bun.zstdCompressSync(new Uint8Array(saved)),
  };
  for (const [form, tar] of Object.entries(forms)) {
    expect([form, ...(await loaded(other, tar))]).toEqual([
      form,
      ...ways.map(() => `Loaded image: ${busybox}\n`),
    ]);
    const shown = (on: TestHost) =>
      on.ok(["images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]);
    expect(await shown(other)).toBe(await shown(host));
    expect(contentOf(other)).toEqual(contentOf(host));
    expect(await other.ok(["run", "--rm", "--network", "none", busybox, "echo", "it runs"])).toBe(
      "it runs\n",
    );
    await other.ok(["save", "-o", join(other.dir, "again.tar"), busybox]);
    expect(digestOf(readFileSync(join(other.dir, "again.tar")))).toBe(digestOf(saved));
    await other.ok(["rmi", busybox]);
    expect([form, ...(await storeIsEmpty(other))]).toEqual([form]);
  }
  await using redirected = await testHost();
  const script = `exec "$0" load < '${at("saved.tar")}'`;
  expect(await redirected.ok([], { front: ["sh", "-c", script] })).toBe(`Loaded image: ${busybox}\n`);
});

test("skopeo's archives of both kinds", async () => {
  const source = `oci:${await busyboxLayout()}:latest`;
  await skopeo("copy", "-q", source, `docker-archive:${at("docker.tar")}:team/web:1`);
  await skopeo("copy", "-q", source, `oci-archive:${at("oci.tar")}:v1`);
  await using other = await testHost();
  const id = (await host.ok(["images", "-q", "--no-trunc", busybox])).trim();
  expect(await loaded(other, readFileSync(at("docker.tar")))).toEqual(
    ways.map(() => "Loaded image: team/web:1\n"),
  );
  expect((await other.ok(["images", "-q", "--no-trunc", "team/web:1"])).trim()).toBe(id);
  // A mere tag is no name.
  await other.ok(["rmi", "team/web:1"]);
  expect(await loaded(other, readFileSync(at("oci.tar")))).toEqual(
    ways.map(() => `Loaded image ID: ${id}\n`),
  );
});

test("the older form: several images, several names, layers that are links, and none", async () => {
  await using other = await testHost();
  const [shared, own] = [fileLayer("shared", 3000), fileLayer("own", 2_000_000)];
  const [a, b] = [imageOf([shared, own]), imageOf([shared])];
  const all = archive(
    ...olderForm([
      { image: a, tags: ["team/a:1", "team/a:2"] },
      { image: b, tags: null },
    ]),
  );
  const id = digestOf(b.config);
  expect(await loaded(other, all)).toEqual(
    ways.map(() => `Loaded image: team/a:1\nLoaded image: team/a:2\nLoaded image ID: ${id}\n`),
  );
  await other.ok(["image", "prune", "-af"]);
  const twice = imageOf([shared, shared]);
  const [first, ...rest] = olderForm([{ image: twice, tags: ["team/twice:1"] }]);
  const path = `${hexOf(digestOf(shared))}/layer.tar`;
  const linked = [first!, ...rest.filter(({ name }) => name !== path)];
  const links: Member[] = [
    { name: "store/one.tar", content: shared },
    { name: path, type: "2", link: "../store/one.tar" },
  ];
  expect(await loaded(other, archive(...links, ...linked))).toEqual(
    ways.map(() => "Loaded image: team/twice:1\n"),
  );
});

test("a name that was another image's is told of, and that one stays without", async () => {
  await using other = await testHost();
  const [old, now] = [imageOf([fileLayer("old", 9)]), imageOf([fileLayer("now", 9)])];
  const tar = (image: TestImage) => archive(...olderForm([{ image, tags: ["team/web:1"] }]));
  await other.rt(["load"], { stdin: tar(old) });
  const { stdout } = await other.rt(["load"], { stdin: tar(now) });
  expect(stdout).toBe(
    `The image team/web:1 already exists, renaming the old one with ID ${digestOf(old.config)} to empty string\nLoaded image: team/web:1\n`,
  );
  expect((await other.ok(["images", "-aq"])).trim().split("\n")).toHaveLength(2);
});

test("an image of several platforms: this machine's, the one that is asked for, or the only one", async () => {
  const dir = at("several");
  const layout = new LayoutWriter(dir);
  const foreign = hostArchitecture() === "arm64" ? "amd64" : "arm64";
  const image = (architecture: string) =>
    layout.image(null, { layers: [fileLayer(architecture, 10)], config: {}, architecture });
  const both = [await image(hostArchitecture()), await image(foreign)];
  await layout.index("docker.io/team/both:1", both);
  layout.tag("docker.io/team/foreign:1", both[1]!);
  await layout.close();
  await run(["tar", "-C", dir, "-cf", at("several.tar"), "."]);
  await using other = await testHost();
  const architecture = async () =>
    JSON.parse(await other.ok(["image", "inspect", "team/both:1"]))[0].Architecture;
  const names = ["team/both:1", "team/foreign:1"].map((name) => `Loaded image: ${name}\n`).join("");
  expect(await other.ok(["load", "-i", at("several.tar")])).toBe(names);
  expect(await architecture()).toBe(hostArchitecture());
  await other.ok(["image", "prune", "-af"]);
  expect(await other.ok(["load", "--platform", `linux/${foreign}`, "-i", at("several.tar")])).toBe(names);
  expect(await architecture()).toBe(foreign);
  const none = await other.rt(["load", "--platform", "linux/s390x", "-i", at("several.tar")]);
  expect([oneLine(none.stderr), none.code]).toEqual([expect.stringMatching(/linux\/s390x/), 125]);
});

test("what can be read only once has a bar for each layer while it comes", async () => {
  await using other = await testHost();
  const image = imageOf([fileLayer("a", 3_000_000)]);
  const file = join(other.dir, "large.tar.gz");
  const shows = async (what: string, tar: Uint8Array) => {
    writeFileSync(file, Bun.gzipSync(new Uint8Array(tar)));
    await using terminal = other.pty(["load", "-i", file]);
    expect([what, await terminal.exited]).toEqual([what, 0]);
    const { text } = terminal.screen;
    expect(text).toMatch(/[0-9a-f]{12}: Downloading \[=*>? *\] +[0-9.]+[kM]?B\/3(\.\d+)?MB\r\n/);
    expect(text).toMatch(/[0-9a-f]{12}: Pull complete\r\n.*Loaded image/s);
    expect(text.match(/Pull complete|Already exists/g)).toHaveLength(1);
  };
  await shows("the older form", archive(...olderForm([{ image, tags: ["team/web:1"] }])));
  await other.ok(["save", "-o", join(other.dir, "saved.tar"), "team/web:1"]);
  await other.ok(["image", "prune", "-af"]);
  await shows("a layout", readFileSync(join(other.dir, "saved.tar")));
});

test("a terminal has nothing to load", async () => {
  await using terminal = host.pty(["load"]);
  expect(await terminal.exited).toBe(1);
  expect(terminal.screen.text).toBe("rt: requested load from stdin, but stdin is empty\r\n");
});

test("what is no archive of images: one line each, and nothing of it", async () => {
  await using other = await testHost();
  const image = imageOf([fileLayer("f", 2_000_000)]);
  const honest = olderForm([{ image, tags: ["team/web:1"] }]);
  const without = (pattern: RegExp) => archive(...honest.filter(({ name }) => !pattern.test(name)));
  const edited = (edit: (item: Record<string, unknown>) => object) =>
    archive(...olderForm([{ image, tags: ["team/web:1"] }], ([item]) => [edit({ ...item })]));
  const wrongID = imageOf([fileLayer("f", 2_000_000)], [digestOf("other")]);
  const two = imageOf([fileLayer("f", 10)], [digestOf("a"), digestOf("b")]);
  const deep = Buffer.from(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  const inputs: [what: string, tar: Uint8Array, line: RegExp][] = [
    ["nothing", new Uint8Array(), /is empty/],
    ["text", Buffer.from("hello, world\n".repeat(100)), /not a tar archive/],
    ["zeros", new Uint8Array(10_240), /empty tar/],
    [
      "a root file system",
      archive({ name: "etc/passwd", content: "x" }),
      /neither index\.json nor manifest\.json/,
    ],
    [
      "xz",
      Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0),
      /is compressed with xz, and what is read here is gzip and zstd: decompress it first \(xz -d\)$/,
    ],
    ["a cut gzip", Bun.gzipSync(new Uint8Array(archive(...honest))).subarray(0, 9000), /gzip/],
    ["no config", without(/^[0-9a-f]{64}\.json$/), /does not exist/],
    ["no layer", without(/layer\.tar$/), /layer\.tar" does not exist/],
    ["a layer outside", edited((item) => ({ ...item, Layers: ["../../etc/passwd"] })), /does not exist/],
    ["an absolute config", edited((item) => ({ ...item, Config: "/etc/passwd" })), /does not exist/],
    ["no reference", edited((item) => ({ ...item, RepoTags: ["team/web:1", "NO:/x"] })), /invalid reference/],
    ["another diffID", archive(...olderForm([{ image: wrongID, tags: ["a:1"] }])), /sha256|digest/],
    ["a layer too few", archive(...olderForm([{ image: two, tags: ["a:1"] }])), /1 layers but .* 2 diffIDs/],
    ["an object", archive({ name: "manifest.json", content: "{}" }), /an array/],
    ["numbers", archive({ name: "manifest.json", content: '[{"Config":1}]' }), /a string/],
    ["an empty list", archive({ name: "manifest.json", content: "[]" }), /holds no image/],
    ["no JSON", archive({ name: "manifest.json", content: "<!doctype html>" }), /web page/],
    ["100,000 deep", archive({ name: "manifest.json", content: deep }), /nested more than/],
    [
      "100 MB",
      archive({ name: "manifest.json", content: new Uint8Array(100 << 20).fill(32) }),
      /104857600 bytes/,
    ],
    ["a huge name", archive({ name: "x", type: "L", size: 2 ** 32 }), /name of 4294967296 bytes/],
    ["a length that lies", archive({ name: "manifest.json", content: "[]", size: 2 ** 30 }), /cut short/],
    [
      "a PAX length that lies",
      Buffer.concat([paxRecords({ size: "99999999999999" }), archive(...honest)]),
      /cut short|larger than 68719476736 bytes: see max-layer-size/,
    ],
    [
      "links in a circle",
      archive({ name: "manifest.json", type: "2", link: "manifest.json" }),
      /does not exist/,
    ],
    ["of before 1.10, and empty", archive({ name: "repositories", content: "{}" }), /holds no image/],
  ];
  for (const [what, tar, line] of inputs) await refused(other, what, tar, line);
});

test("a layout that lies: wrong digests, indexes in a circle, blobs that are not there", async () => {
  await using other = await testHost();
  const image = imageOf([fileLayer("f", 2_000_000)]);
  const [document] = image.documents;
  const name = (bytes: Uint8Array) => `blobs/sha256/${hexOf(digestOf(bytes))}`;
  const describe = ({ bytes, mediaType }: { bytes: Uint8Array; mediaType: string }) => ({
    ...{ mediaType, digest: digestOf(bytes), size: bytes.length },
    annotations: { "io.containerd.image.name": "docker.io/team/web:1" },
  });
  const files = new Map<string, Uint8Array>([
    ...[...image.blobs, document!.bytes].map((bytes) => [name(bytes), bytes] as const),
    ["index.json", json({ schemaVersion: 2, manifests: [describe(document!)] })],
    ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
  ]);
  const tar = (edit: (files: Map<string, Uint8Array>) => void) => {
    const edited = new Map(files);
    edit(edited);
    return archive(...[...edited].map(([each, content]) => ({ name: each, content })));
  };
  expect(
    await loaded(
      other,
      tar(() => {}),
    ),
  ).toEqual(ways.map(() => "Loaded image: team/web:1\n"));
  await other.ok(["rmi", "team/web:1"]);
  const layer = image.layers[0]!;
  const flipped = Buffer.from(layer);
  flipped[1_000_000]! ^= 1;
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json" };
  const circle = { mediaType: index.mediaType, digest: digestOf("circle"), size: 6 };
  const inputs: [what: string, tar: Uint8Array, line: RegExp][] = [
    ["a flipped bit", tar((f) => f.set(name(layer), flipped)), /another digest/],
    ["a shorter layer", tar((f) => f.set(name(layer), layer.subarray(512))), /another digest|bytes where/],
    ["no layer", tar((f) => f.delete(name(layer))), /does not exist/],
    ["no manifest", tar((f) => f.delete(name(document!.bytes))), /does not exist/],
    [
      "another config",
      tar((f) => f.set(name(image.config), Buffer.alloc(image.config.length))),
      /not sha256:/,
    ],
    [
      "an index of itself",
      tar((f) => f.set("index.json", json({ ...index, manifests: [circle] }))),
      /does not exist|indexes more/,
    ],
    [
      "sha512",
      tar((f) =>
        f.set(
          "index.json",
          json({ ...index, manifests: [{ ...circle, digest: `sha512:${"0".repeat(128)}` }] }),
        ),
      ),
      /sha512/,
    ],
    [
      "a digest outside",
      tar((f) =>
        f.set(
          "index.json",
          json({ ...index, manifests: [{ ...circle, digest: "sha256:../../../etc/passwd" }] }),
        ),
      ),
      /want sha256/,
    ],
    ["version 9", tar((f) => f.set("oci-layout", json({ imageLayoutVersion: "9" }))), /version 9/],
    ["no index", tar((f) => f.set("index.json", json({ ...index, manifests: [] }))), /holds no image/],
  ];
  for (const [what, bytes, line] of inputs) await refused(other, what, bytes, line);
});

test("cut short at each block: refused, or whole; and nothing is left of what was refused", async () => {
  await using other = await testHost();
  const image = imageOf([fileLayer("f", 2000), fileLayer("g", 10)]);
  const whole = archive(...olderForm([{ image, tags: ["team/web:1"] }]));
  for (let length = 0; length < whole.length; length += 512) {
    const way = ways[(length / 512) % ways.length]!;
    const { code, stdout, stderr } = await way[1](other, whole.subarray(0, length));
    if (code === 0) {
      expect([length, stdout]).toEqual([length, "Loaded image: team/web:1\n"]);
      await other.ok(["rmi", "team/web:1"]);
    } else expect([length, code, oneLine(stderr).length > 0]).toEqual([length, 125, true]);
    expect([length, ...(await storeIsEmpty(other))]).toEqual([length]);
  }
}, 300_000);

test("too many entries, of any kind, are refused before they are all read", async () => {
  await using other = await testHost();
  const one = member({ name: "x", content: "" });
  const many = Buffer.alloc(200_000 * one.length);
  for (let i = 0; i < 200_000; i++) {
    many.set(one, i * one.length);
    numbered(many.subarray(i * one.length, (i + 1) * one.length), i);
  }
  await refused(other, "200,000 files", many, /more than 100000 entries/);
}, 120_000);

test("names that are long and many are refused before they fill the memory", async () => {
  await using other = await testHost();
  const name = paxRecords({ path: `${"x/".repeat(500_000)}x` });
  const one = Buffer.concat([name, member({ name: "x" })]);
  const many = Buffer.concat(new Array<Buffer>(20).fill(one));
  await refused(other, "20 names of 1 MB", many, /too many names, or too long ones/);
});

test("one layer a hundred thousand times over is not read as often", async () => {
  await using other = await testHost();
  const config = imageOf([fileLayer("x", 10)]).config!;
  const manifest = [{ Config: "c.json", RepoTags: ["x:1"], Layers: new Array<string>(100_000).fill("l") }];
  const content = gzipSync(fileLayer("x", 2 << 20), { level: 1 });
  const entries = [
    { name: "manifest.json", content: JSON.stringify(manifest) },
    { name: "c.json", content: config },
    { name: "l", content },
  ];
  await refused(other, "100,000 layers", archive(...entries), /has 100000 layers but its config names 1/);
}, 30_000);

/** Another name, and the sum that goes with it. */
function numbered(header: Uint8Array, number: number): void {
  header.set(Buffer.from(String(number)), 0);
  header.fill(32, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}

test("the second of two entries of one name counts, in both ways", async () => {
  await using other = await testHost();
  const [a, b] = [imageOf([fileLayer("a", 10)]), imageOf([fileLayer("b", 10)])];
  const entries = [...olderForm([{ image: a, tags: ["a:1"] }]), ...olderForm([{ image: b, tags: ["b:1"] }])];
  expect(await loaded(other, archive(...entries))).toEqual(ways.map(() => "Loaded image: b:1\n"));
});

test("eight loads of one archive at once: all succeed, and there is one image", async () => {
  await using other = await testHost();
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      index % 2 === 0
        ? other.rt(["load", "-i", at("saved.tar")])
        : other.rt(["load"], { stdin: saved, front: ["sh", "-c", 'cat | exec "$0" "$@"'] }),
    ),
  );
  for (const { code, stdout } of results) expect([code, stdout]).toEqual([0, `Loaded image: ${busybox}\n`]);
  expect((await other.ok(["images", "-q"])).trim().split("\n")).toHaveLength(1);
  expect(contentOf(other)).toEqual(contentOf(host));
  expect(await other.ok(["system", "check"])).not.toContain("missing");
});

test("killed anywhere on its way, the next one succeeds and leaves nothing else", async () => {
  await using other = await testHost();
  const big = imageOf([fileLayer("f", 30_000_000), fileLayer("g", 5_000_000)]);
  const tar = archive(...olderForm([{ image: big, tags: ["team/big:1"] }]));
  writeFileSync(join(other.dir, "big.tar"), tar);
  for (let round = 0; round < 12; round++) {
    const args = round % 2 === 0 ? ["load", "-i", join(other.dir, "big.tar")] : ["load"];
    await using load = other.spawn(args);
    if (args.length === 1) {
      load.write(tar.subarray(0, (tar.length * (round + 1)) / 14));
    }
    await Bun.sleep(10 * round);
    load.kill("SIGKILL");
    await load.exited;
  }
  expect(await other.ok(["load", "-i", join(other.dir, "big.tar")])).toBe("Loaded image: team/big:1\n");
  await other.ok(["rmi", "team/big:1"]);
  await other.ok(["system", "prune", "-f"]);
  const left = contentOf(other).filter((each) => each.startsWith("ingest/"));
  expect([...left, ...(await storeIsEmpty(other))].filter((each) => each.includes("draft"))).toEqual([]);
});

test("a full disk: one line, and the room is there again", async () => {
  const small = at("small");
  mkdirSync(small);
  const image = imageOf([fileLayer("f", 6_000_000)]);
  const tar = archive(...olderForm([{ image, tags: ["team/web:1"] }]));
  writeFileSync(at("large.tar"), tar);
  await run(["mount", "-t", "tmpfs", "-o", "size=4m", "rt-small", small]);
  try {
    for (const options of [{ stdin: tar, front: ["sh", "-c", 'cat | exec "$0" "$@"'] }, undefined]) {
      const args = ["--root", small, "load", ...(options ? [] : ["-i", at("large.tar")])];
      const { stderr, code } = await host.rt(args, options);
      expect([oneLine(stderr), code]).toEqual([expect.stringMatching(/no space left/i), 125]);
      const left = (await run(["find", join(small, "content"), "-type", "f", "-size", "+0"])).trim();
      expect(left).toBe("");
    }
  } finally {
    await run(["umount", small]);
  }
});

test("events: each image that was loaded", async () => {
  await using other = await testHost();
  const since = new Date().toISOString();
  await other.ok(["load", "-i", at("saved.tar")]);
  const until = new Date(Date.now() + 1000).toISOString();
  const format = "{{.Action}} {{.Actor.ID}}";
  const id = (await host.ok(["images", "-q", "--no-trunc", busybox])).trim();
  expect(await other.ok(["events", "--since", since, "--until", until, "--format", format])).toBe(
    `load ${id}\n`,
  );
});
