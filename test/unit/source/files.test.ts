import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { digestOf, hexOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { MapFiles } from "../../../src/source/embedded.ts";
import { openSource } from "../../../src/source/open.ts";
import { json, type TestImage, tinyImage, withIndex } from "../../support/fake-registry.ts";
import { failsWith, noise, pull, referenceOf } from "./pull.ts";
import { type Member, tarOf } from "./tar-of.ts";

const image = tinyImage([Buffer.from("layer one"), noise(3_000_000)]);

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-files-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The files of a layout that holds each image under its tag (or under none, for ""). */
function layout(images: Record<string, TestImage>): Map<string, Uint8Array> {
  const files = new Map([["oci-layout", json({ imageLayoutVersion: "1.0.0" })]]);
  const manifests = Object.entries(images).map(([tag, one]) => {
    for (const blob of [...one.blobs, ...one.documents.map(({ bytes }) => bytes)]) {
      files.set(`blobs/sha256/${hexOf(digestOf(blob))}`, blob);
    }
    const { bytes, mediaType } = one.documents.at(-1)!;
    const annotations = tag === "" ? {} : { annotations: { "org.opencontainers.image.ref.name": tag } };
    return { mediaType, digest: digestOf(bytes), size: bytes.length, ...annotations };
  });
  files.set("index.json", json({ schemaVersion: 2, manifests }));
  return files;
}

let count = 0;
function onDisk(files: ReadonlyMap<string, Uint8Array>): string {
  const root = join(dir, `My_Layout${count++}`);
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), bytes);
  }
  return root;
}

function inTar(members: Iterable<Member>): string {
  const file = join(dir, `archive${count++}.tar`);
  writeFileSync(file, tarOf(members));
  return file;
}

const members = (files: ReadonlyMap<string, Uint8Array>): Member[] =>
  [...files].map(([name, data]) => ({ name: `./${name}`, data }));

for (const [kind, place] of [
  ["oci", onDisk],
  ["oci-archive", (files: ReadonlyMap<string, Uint8Array>) => inTar(members(files))],
] as const) {
  describe(kind, () => {
    const other = tinyImage([Buffer.from("other")]);

    test("one image needs no tag; several do, unless one is latest", async () => {
      const one = place(layout({ "1.0": image }));
      expect((await pull(`${kind}:${one}`)).layers).toEqual(image.layers.map((l) => Buffer.from(l)));
      const two = place(layout({ "1.0": image, "2.0": other }));
      expect((await pull(`${kind}:${two}:2.0`)).layers).toEqual(other.layers);
      const line = await failsWith("invalid-argument", pull(`${kind}:${two}`));
      expect(line).toContain("several images, add a tag; there are 1.0, 2.0");
      expect(await failsWith("not-found", pull(`${kind}:${two}:3`))).toContain(
        "no image is tagged 3; there are 1.0",
      );
      const twice = place(layout({ "1.0": image, stable: image }));
      expect((await pull(`${kind}:${twice}`)).reference).toMatch(/:1\.0$/);
      const latest = place(layout({ "1.0": image, latest: other }));
      expect((await pull(`${kind}:${latest}`)).layers).toEqual(other.layers);
    });

    test("through an index, and from an offset", async () => {
      const path = place(layout({ "": withIndex(image, ["arm64", "amd64"]) }));
      expect((await pull(`${kind}:${path}`, { offset: 5 })).layers).toEqual(
        image.layers.map((layer) => Buffer.from(layer.subarray(5))),
      );
    });

    test("the local name", async () => {
      const name = async (tag: string) => referenceOf(`${kind}:${place(layout({ [tag]: image }))}`);
      expect(await name("3.20")).toMatch(/^localhost\/(my-layout|archive)\d+:3\.20$/);
      expect(await name("")).toMatch(/^localhost\/(my-layout|archive)\d+:latest$/);
      expect(await name("ghcr.io/a/b:c")).toBe("ghcr.io/a/b:c");
      expect(await name("alpine:3")).toBe("docker.io/library/alpine:3");
      expect(await name("NOT/VALID")).toMatch(/^localhost\/.*:latest$/);
    });

    test("lies and gaps", async () => {
      const broken = (edit: (files: Map<string, Uint8Array>) => void) => {
        const files = layout({ "1": image });
        edit(files);
        return pull(`${kind}:${place(files)}`);
      };
      const blob = (bytes: Uint8Array) => `blobs/sha256/${hexOf(digestOf(bytes))}`;
      const config = blob(image.config);
      expect(
        await failsWith(
          "data-loss",
          broken((f) => f.set(config, Buffer.alloc(image.config.length))),
        ),
      ).toContain("not sha256:");
      expect(
        await failsWith(
          "data-loss",
          broken((f) => f.set(blob(image.layers[0]!), Buffer.from("x"))),
        ),
      ).toContain("has 1 bytes where");
      expect(
        await failsWith(
          "not-found",
          broken((f) => f.delete(config)),
        ),
      ).toContain("does not exist");
      await failsWith(
        "data-loss",
        broken((f) => f.set(blob(image.documents[0]!.bytes), json({}))),
      );
      await failsWith(
        "not-found",
        broken((f) => f.delete("index.json")),
      );
      await failsWith(
        "not-found",
        broken((f) => f.delete("oci-layout")),
      );
      await failsWith(
        "unsupported",
        broken((f) => f.set("oci-layout", json({ imageLayoutVersion: "9" }))),
      );
      await failsWith(
        "data-loss",
        broken((f) => f.set("index.json", json({ schemaVersion: 2, layers: [] }))),
      );
      await failsWith(
        "exhausted",
        broken((f) => f.set("index.json", Buffer.alloc(5 * 2 ** 20, " "))),
      );
      await failsWith(
        "not-found",
        broken((f) => f.set("index.json", json({ schemaVersion: 2, manifests: [] }))),
      );
    });

    test("sources of other tools that rt does not read, and addresses, are told from names", async () => {
      for (const text of [
        "docker-daemon:alpine",
        "containers-storage:alpine",
        "dir:/tmp/x",
        "dir:./x",
        "ostree:x@/y",
      ])
        expect(await failsWith("unsupported", pull(text))).toContain(
          `${text.split(":")[0]}: is none of rt's kinds`,
        );
      for (const text of ["https://r.example/a:1", "http://r.example/a"])
        expect(await failsWith("invalid-argument", pull(text))).toContain("write r.example/a");
    });

    test("no such file, no path", async () => {
      await failsWith("not-found", pull(`${kind}:${dir}/nothing`));
      expect(await failsWith("invalid-argument", pull(`${kind}:`))).toContain("wants a path");
      await failsWith("invalid-argument", pull(`${kind}:/x:`));
    });
  });
}

describe("a hostile layout directory", () => {
  const layerFile = `blobs/sha256/${hexOf(digestOf(image.layers[0]!))}`;
  const replaced = (make: (path: string) => void) => {
    const files = layout({ "1": image });
    files.delete(layerFile);
    const root = onDisk(files);
    make(join(root, layerFile));
    return pull(`oci:${root}`);
  };

  test("a blob that is a link, a directory or a FIFO is refused, at once", async () => {
    const secret = join(dir, "secret");
    writeFileSync(secret, image.layers[0]!);
    expect(
      await failsWith(
        "data-loss",
        replaced((path) => symlinkSync(secret, path)),
      ),
    ).toContain("is a symbolic link");
    expect(
      await failsWith(
        "data-loss",
        replaced((path) => mkdirSync(path)),
      ),
    ).toContain("not a regular file");
    const fifo = (path: string) => Bun.spawnSync(["mkfifo", path]);
    expect(await failsWith("data-loss", replaced(fifo))).toContain("not a regular file");
  });
});

describe("embed", () => {
  const files = layout({ latest: image });
  const hello = { reference: "embed:hello", files: new MapFiles("hello", files) };
  const embedded = async (name: string) => (name === "hello" ? hello : undefined);

  test("is a layout in memory, and keeps its name", async () => {
    const source = await openSource("embed:hello", {
      config: { registries: new Map() },
      warn: () => {},
      embedded,
    });
    const found = await source.resolve({ os: "linux", architecture: "amd64" });
    expect([source.name, source.reference]).toEqual(["embed:hello", "embed:hello"]);
    const parts = await Array.fromAsync(source.fetch(found.manifest.layers[0]!, 6));
    expect(Buffer.concat(parts).toString()).toBe("one");
  });

  test("an unknown name", async () => {
    const options = { config: { registries: new Map() }, warn: () => {}, embedded };
    expect(await failsWith("not-found", openSource("embed:x", options))).toContain("no image named x");
  });
});

describe("docker-archive", () => {
  const saved = (entries: { image: TestImage; tags: string[] | null }[]): Member[] => {
    const list = entries.map(({ image: one, tags }, i) => ({
      Config: `${hexOf(digestOf(one.config))}.json`,
      RepoTags: tags,
      Layers: one.layers.map((_, j) => `${i}-${j}/layer.tar`),
    }));
    return [
      ...entries.flatMap(({ image: one }, i) => [
        { name: `${hexOf(digestOf(one.config))}.json`, data: one.config },
        ...one.layers.map((data, j) => ({ name: `${i}-${j}/layer.tar`, data })),
      ]),
      { name: "manifest.json", data: json(list) },
    ];
  };
  const other = tinyImage([Buffer.from("other")]);

  test("one image; its tag is the local name", async () => {
    const file = inTar(saved([{ image, tags: ["alpine:3.20", "x:1"] }]));
    const { layers, reference } = await pull(`docker-archive:${file}`);
    expect(layers).toEqual(image.layers.map((layer) => Buffer.from(layer)));
    expect(reference).toBe("docker.io/library/alpine:3.20");
    expect(await referenceOf(`docker-archive:${file}:x:1`)).toBe("docker.io/library/x:1");
    const nameless = inTar(saved([{ image, tags: null }]));
    expect(await referenceOf(`docker-archive:${nameless}`)).toMatch(/^localhost\/archive\d+:latest$/);
  });

  test("one of several, by tag or by number", async () => {
    const file = inTar(
      saved([
        { image, tags: ["a:1"] },
        { image: other, tags: ["b:1"] },
      ]),
    );
    expect((await pull(`docker-archive:${file}:b:1`)).layers).toEqual(other.layers);
    expect((await pull(`docker-archive:${file}:docker.io/library/b:1`)).layers).toEqual(other.layers);
    expect((await pull(`docker-archive:${file}:@1`)).layers).toEqual(other.layers);
    expect(await failsWith("invalid-argument", pull(`docker-archive:${file}`))).toContain(
      "name one of: a:1, b:1",
    );
    expect(await failsWith("not-found", pull(`docker-archive:${file}:c`))).toContain("it has a:1, b:1");
    await failsWith("not-found", pull(`docker-archive:${file}:@2`));
    await failsWith("invalid-argument", pull(`docker-archive:${file}:BAD`));
  });

  test("links between layers are followed as names in the archive, and nowhere else", async () => {
    const twice = tinyImage([Buffer.from("same"), Buffer.from("same")]);
    const linked = (target: string) =>
      saved([{ image: twice, tags: ["a:1"] }]).map((member) =>
        member.name === "0-1/layer.tar" ? { name: member.name, link: target } : member,
      );
    expect((await pull(`docker-archive:${inTar(linked("../0-0/layer.tar"))}`)).layers).toEqual(twice.layers);
    for (const target of ["/etc/passwd", "../../../../../etc/passwd", "../0-1/layer.tar", "layer.tar"]) {
      await failsWith("not-found", pull(`docker-archive:${inTar(linked(target))}`));
    }
  });

  test("a hard link's target is a name from the archive's root, with ./ or without", async () => {
    const same = tinyImage([Buffer.from("same"), Buffer.from("same")]);
    const list = [{ Config: "c.json", RepoTags: ["a:1"], Layers: ["1/layer.tar", "2/layer.tar"] }];
    for (const dot of ["", "./"]) {
      const all: Member[] = [
        { name: `${dot}1/layer.tar`, data: Buffer.from("same") },
        { name: `${dot}2/1/layer.tar`, data: Buffer.from("another") },
        { name: `${dot}2/layer.tar`, link: `${dot}1/layer.tar`, type: "1" },
        { name: `${dot}c.json`, data: same.config },
        { name: `${dot}manifest.json`, data: json(list) },
      ];
      expect((await pull(`docker-archive:${inTar(all)}`)).layers).toEqual(same.layers);
    }
  });

  test("a layer without a name is named so", async () => {
    const list = [{ Config: "c.json", RepoTags: [], Layers: ["", ""] }];
    const file = inTar([
      { name: "c.json", data: image.config },
      { name: "manifest.json", data: json(list) },
    ]);
    expect(await failsWith("not-found", pull(`docker-archive:${file}`))).toContain(': "" does not exist');
  });

  test("a manifest that names files outside finds nothing", async () => {
    const list = [{ Config: "/etc/passwd", RepoTags: [], Layers: ["../../etc/passwd"] }];
    const file = inTar([{ name: "manifest.json", data: json(list) }]);
    expect(await failsWith("not-found", pull(`docker-archive:${file}`))).toContain(
      '"/etc/passwd" does not exist',
    );
  });

  test("compressed layers are known by their first bytes", async () => {
    const gzipped = tinyImage([Bun.gzipSync(Buffer.from("x")), Bun.zstdCompressSync(Buffer.from("x"))]);
    const source = await openSource(`docker-archive:${inTar(saved([{ image: gzipped, tags: [] }]))}`, {
      config: { registries: new Map() },
      warn: () => {},
    });
    const found = await source.resolve({ os: "linux", architecture: "amd64" });
    await source.close();
    expect(found.manifest.layers.map(({ mediaType }) => mediaType)).toEqual([
      mediaTypes.dockerLayerGzip,
      mediaTypes.dockerLayerZstd,
    ]);
  });

  test("long names in both fashions, and a wrong diffID count", async () => {
    const long = `${"d/".repeat(120)}layer.tar`;
    for (const style of ["pax", "gnu"] as const) {
      const list = [{ Config: "c.json", RepoTags: ["a:1"], Layers: [long, long] }];
      const same = tinyImage([Buffer.from("same"), Buffer.from("same")]);
      const all: Member[] = [
        { name: long, data: Buffer.from("same"), style },
        { name: "c.json", data: same.config },
        { name: "manifest.json", data: json(list) },
      ];
      expect((await pull(`docker-archive:${inTar(all)}`)).layers).toHaveLength(2);
      list[0]!.Layers.pop();
      const fewer = [...all.slice(0, 2), { name: "manifest.json", data: json(list) }];
      expect(await failsWith("data-loss", pull(`docker-archive:${inTar(fewer)}`))).toContain(
        "names 2 diffIDs",
      );
    }
  });

  test("files that are no archive, or not all of one", async () => {
    const whole = tarOf(saved([{ image, tags: [] }]));
    const broken: [Uint8Array, string, "data-loss" | "unsupported" | "exhausted"][] = [
      [Buffer.from(""), "is empty", "data-loss"],
      [Buffer.from("no tar at all".repeat(100)), "is not a tar", "data-loss"],
      [Buffer.alloc(10_240), "is an empty tar", "data-loss"],
      [whole.subarray(0, 1_000_000), "is cut short", "data-loss"],
      [Bun.gzipSync(whole.slice()), "is compressed", "unsupported"],
      [
        tarOf([{ name: "x".repeat(2 ** 20 + 10), data: Buffer.from(""), style: "gnu" }]),
        "has a name of",
        "exhausted",
      ],
      [tarOf([{ name: "a", pax: "99 path=x\n" }]), "malformed PAX", "data-loss"],
      [tarOf([{ name: "a", pax: "x path=x\n" }]), "malformed PAX", "data-loss"],
      [tarOf([{ name: "a", pax: "16 size=-5000000\n" }]), "PAX", "data-loss"],
      [tarOf([{ name: "a", pax: "22 size=99999999999999\n" }]), "PAX", "data-loss"],
    ];
    for (const [bytes, words, code] of broken) {
      const file = join(dir, `broken${count++}`);
      writeFileSync(file, bytes);
      expect(await failsWith(code, pull(`docker-archive:${file}`))).toMatch(new RegExp(`${words}|cut short`));
    }
  });
});
