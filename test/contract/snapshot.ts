/** What every snapshot driver keeps to: see src/snapshot/snapshot.ts. Layers: OCI image-spec, layer.md. */
import { expect } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { RtError } from "../../src/base/errors.ts";
import { inUserNamespace, ownerOf } from "../support/ordinary.ts";
import { needs } from "../support/root.ts";
import { archive } from "../support/tar.ts";
import { describeTree, treeNeeds } from "../support/tree.ts";
import { type DriverName, workbench } from "./bench.ts";
import { containerLayers } from "./container-layers.ts";
import { corners } from "./corners.ts";
import { dir, file, layering, type Test } from "./layering.ts";
import { ownersContract } from "./owners.ts";

// Python maps owners (support/idmapped.ts).
const gated = needs({ ...treeNeeds, tools: [...treeNeeds.tools, "python3"] });

export async function failure(promise: Promise<unknown>): Promise<RtError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof RtError)) throw new Error(`expected an RtError, got ${error}`);
  return error;
}

export function snapshotContract(name: DriverName): void {
  const test = (what: string, body: () => Promise<unknown>) => gated.test(`${name}: ${what}`, body);
  commits(name, test);
  refusals(name, test);
  layering(name, test);
  corners(name, test);
  containers(name, test);
  containerLayers(name, test);
  // Containers of root's: what their namespaces have is more than a user has to give.
  if (!inUserNamespace) ownersContract(name, test);
  volumes(name, test);
}

function commits(name: DriverName, test: Test): void {
  test("a layer is committed under its chainID, whatever its compression", async () => {
    const tar = archive(
      dir("d", { mode: 0o1750, uid: 7, gid: 8 }),
      file("d/f", "hello", { mode: 0o4711, uid: 9 }),
    );
    const half = tar.length / 2;
    const forms = {
      plain: tar,
      gzip: gzipSync(tar),
      "two gzip members": Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]),
      zstd: zstdCompressSync(tar),
      "two zstd frames": Buffer.concat([
        zstdCompressSync(tar.subarray(0, half)),
        Buffer.from("502a4d1803000000616263", "hex"), // a skippable frame in between
        zstdCompressSync(tar.subarray(half)),
      ]),
    };
    for (const [form, stored] of Object.entries(forms)) {
      await using bench = workbench(name);
      const request = bench.request(tar, [], stored);
      expect(bench.driver.has(request.chain)).toBe(false);
      expect([form, await bench.driver.unpack(request)]).toEqual([form, { size: 5 }]);
      expect(bench.driver.has(request.chain)).toBe(true);
      expect(bench.driver.list()).toEqual({ active: [], committed: [request.chain] });
      expect(bench.leftovers()).toEqual([]);
      const tree = await bench.view([request.chain]);
      expect(ownerOf(join(tree, "d"))).toEqual({ mode: 0o1750, uid: 7, gid: 8 });
      expect(ownerOf(join(tree, "d/f"))).toEqual({ mode: 0o4711, uid: 9, gid: 0 });
      expect(readFileSync(join(tree, "d/f"), "utf8")).toBe("hello");
    }
  });

  test("a blob is read while it arrives, byte by byte", async () => {
    await using bench = workbench(name);
    const tar = archive(file("f", "x".repeat(3000)));
    for (const stored of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
      const request = bench.request(tar, [], stored);
      const blob = Buffer.from(stored);
      writeFileSync(request.source.path, "");
      const step = Math.ceil(blob.length / 50);
      const more = (have: number) => {
        const size = Math.min(blob.length, have + step);
        writeFileSync(request.source.path, blob.subarray(0, size));
        return Promise.resolve({ size, done: size === blob.length && have === size });
      };
      await bench.driver.unpack({ ...request, source: { ...request.source, more } });
      await bench.driver.removeCommitted(request.chain);
    }
  });

  test("many at once commit the same layer once", async () => {
    await using bench = workbench(name);
    const tar = archive(file("f"));
    const requests = Array.from({ length: 5 }, () => bench.request(tar));
    const results = await Promise.all(requests.map((request) => bench.driver.unpack(request)));
    expect(results).toEqual(requests.map(() => ({ size: 1 })));
    expect(bench.driver.list().committed).toEqual([requests[0]!.chain]);
    expect(bench.leftovers()).toEqual([]);
  });

  test("removal takes it away; absent is fine", async () => {
    await using bench = workbench(name);
    const [chain] = await bench.apply([archive(file("f"))]);
    await bench.driver.removeCommitted(chain!);
    await bench.driver.removeCommitted(chain!);
    expect(bench.driver.has(chain!)).toBe(false);
    expect(bench.leftovers()).toEqual([]);
  });

  test("a layer whose tree somebody has taken away is not there, and can be made again", async () => {
    await using bench = workbench(name);
    const tar = archive(file("f", "again"));
    const [chain] = await bench.apply([tar]);
    rmSync(bench.onDisk(chain!), { recursive: true });
    expect(bench.driver.has(chain!)).toBe(false);
    await bench.apply([tar]);
    expect(bench.driver.has(chain!)).toBe(true);
    expect(readFileSync(join(await bench.view([chain!]), "f"), "utf8")).toBe("again");
  });
}

function refusals(name: DriverName, test: Test): void {
  const tar = archive(file("f", "y".repeat(100_000)));
  const gzip = gzipSync(tar);
  const other = archive(file("g"));
  const cases: [string, Uint8Array, string, RegExp][] = [
    ["another diffID", other, "data-loss", /digest is sha256:/],
    ["a gzip stream cut off", gzip.subarray(0, gzip.length - 20), "data-loss", /ends early/],
    [
      "a gzip stream with a tail",
      Buffer.concat([gzip, Buffer.from("tail")]),
      "data-loss",
      /follows the gzip stream/,
    ],
    ["a gzip stream with a wrong checksum", flipped(gzip, gzip.length - 6), "data-loss", /checksum/],
    ["a zstd stream cut off", zstdCompressSync(tar).subarray(0, 40), "data-loss", /ends early/],
    [
      "a zstd stream with a tail",
      Buffer.concat([zstdCompressSync(tar), Buffer.from("tail")]),
      "data-loss",
      /zstd/,
    ],
    ["a tar cut off", tar.subarray(0, 50_000), "data-loss", /middle of/],
    ["a damaged tar header", flipped(tar, 5), "data-loss", /checksum/],
    ["no tar at all", Buffer.from("#!/bin/sh\n".repeat(100)), "data-loss", /not a tar|ends too early/],
    ["nothing at all", new Uint8Array(), "data-loss", /digest is/],
    ["bzip2", Buffer.from("BZh91AY&SY"), "unsupported", /bzip2/],
    ["xz", Buffer.from("fd377a585a0000", "hex"), "unsupported", /xz/],
  ];
  for (const [what, stored, code, message] of cases) {
    test(`${what} is refused, and nothing is left`, async () => {
      await using bench = workbench(name);
      const error = await failure(bench.driver.unpack(bench.request(tar, [], stored)));
      expect([error.code, error.message]).toEqual([code as RtError["code"], expect.stringMatching(message)]);
      expect(bench.driver.list()).toEqual({ active: [], committed: [] });
      expect(bench.leftovers()).toEqual([]);
    });
  }

  test("more than sizeMax is refused", async () => {
    await using bench = workbench(name);
    for (const stored of [tar, gzip, zstdCompressSync(tar)]) {
      const error = await failure(
        bench.driver.unpack({ ...bench.request(tar, [], stored), sizeMax: 50_000 }),
      );
      expect([error.code, error.message]).toEqual([
        "exhausted",
        expect.stringContaining("limit of 50000 bytes"),
      ]);
      expect(bench.leftovers()).toEqual([]);
    }
    await bench.driver.unpack({ ...bench.request(tar), sizeMax: tar.length });
  });

  test("a transfer that fails, a parent that fails, and an interrupt end it", async () => {
    await using bench = workbench(name);
    const request = bench.request(tar);
    const broken = new RtError("unavailable", "the line is cut");
    const cut = (have: number) =>
      have === 0 ? Promise.resolve({ size: 600, done: false }) : Promise.reject(broken);
    expect(await failure(bench.driver.unpack({ ...request, source: { ...request.source, more: cut } }))).toBe(
      broken,
    );
    const [below] = await bench.apply([other]);
    const orphan = { ...bench.request(tar, [below!]), parentReady: Promise.reject(broken) };
    expect(await failure(bench.driver.unpack(orphan))).toBe(broken);
    const stop = new AbortController();
    const never = (have: number) =>
      have === 0 ? Promise.resolve({ size: 600, done: false }) : new Promise<never>(() => stop.abort());
    const waiting = { ...request, signal: stop.signal, source: { ...request.source, more: never } };
    await expect(bench.driver.unpack(waiting)).rejects.toThrow();
    expect(bench.leftovers()).toEqual([]);
    expect(bench.driver.list().committed).toEqual([below!]);
  });
}

function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[index]! ^= 1;
  return copy;
}

function containers(name: DriverName, test: Test): void {
  test("each container writes for itself, and never into the image", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply([archive(file("f", "image")), archive(file("g", "image"))]);
    const before = await describeTree(bench.onDisk(chain[1]!));
    const [a, b] = [await bench.view(chain, "a"), await bench.view(chain, "b")];
    writeFileSync(join(a, "f"), "a");
    writeFileSync(join(a, "own"), "a");
    expect(readFileSync(join(b, "f"), "utf8")).toBe("image");
    expect(existsSync(join(b, "own"))).toBe(false);
    expect(await describeTree(bench.onDisk(chain[1]!))).toEqual(before);
    expect(bench.driver.list().active.sort()).toEqual(["a", "b"]);
  });

  test("a container without layers begins empty, with a root for everybody", async () => {
    await using bench = workbench(name);
    await bench.driver.prepare("scratch", []);
    const rootfs = bench.driver.rootfs("scratch", [], {});
    if (rootfs.type !== "bind") throw new Error("overlay needs a layer");
    expect(readdirSync(rootfs.source)).toEqual([]);
    expect(statSync(rootfs.source).mode & 0o7777).toBe(0o755);
  });

  test("a key is used once, and a chain must be there", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply([archive(file("f"))]);
    await bench.driver.prepare("k", chain);
    expect((await failure((async () => await bench.driver.prepare("k", chain))())).code).toBe("conflict");
    const missing = bench.request(archive(file("other"))).chain;
    expect((await failure((async () => await bench.driver.prepare("l", [missing]))())).code).toBe(
      "not-found",
    );
    await bench.driver.removeActive("k");
    await bench.driver.removeActive("k");
    await bench.driver.removeActive("l");
    expect(bench.driver.list().active).toEqual([]);
  });

  test("changes: what a container added, changed and deleted, through several layers", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply([
      archive(dir("a"), file("a/one"), file("a/two"), dir("b"), file("b/x"), dir("same"), file("same/f")),
      archive(dir("a"), file("a/.wh.two"), file("a/three"), file("four")),
      archive(dir("same"), file("same/g")),
    ]);
    const tree = await bench.view(chain, "k");
    const changes = async () => {
      const found = await bench.driver.changes("k", chain, ["/dev", "/etc"]);
      return found.map(({ kind, path }) => `${kind} ${path}`).sort();
    };
    for (const given of ["dev", "etc"]) mkdirSync(join(tree, given));
    expect(await changes()).toEqual([]);
    rmSync(join(tree, "a/one"));
    appendFileSync(join(tree, "a/three"), "more");
    rmSync(join(tree, "b"), { recursive: true });
    mkdirSync(join(tree, "b"));
    writeFileSync(join(tree, "b/y"), "y");
    writeFileSync(join(tree, "a/two"), "again");
    mkdirSync(join(tree, "etc/own"));
    rmSync(join(tree, "four"));
    mkdirSync(join(tree, "four"));
    writeFileSync(join(tree, "passing"), "");
    rmSync(join(tree, "passing"));
    chmodSync(join(tree, "same/g"), 0o600);
    expect(await changes()).toEqual([
      ...["A /a/two", "A /b/y", "A /etc/own"],
      ...["C /a", "C /a/three", "C /b", "C /etc", "C /four", "C /same", "C /same/g"],
      ...["D /a/one", "D /b/x"],
    ]);
  });

  test("usage counts what a container wrote", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply([archive(file("f"))]);
    const tree = await bench.view(chain, "k");
    const before = await bench.driver.usage("k");
    writeFileSync(join(tree, "big"), Buffer.alloc(1 << 20, 1));
    const after = await bench.driver.usage("k");
    expect(after.bytes - before.bytes).toBeGreaterThanOrEqual(1 << 20);
    expect(after.bytes - before.bytes).toBeLessThan(1.2 * (1 << 20));
    expect(after.inodes - before.inodes).toBe(1);
  });
}

function volumes(name: DriverName, test: Test): void {
  const base = archive(
    dir("var"),
    dir("var/data", { mode: 0o2770, uid: 11, gid: 12, mtime: 5 }),
    file("var/data/a"),
    dir("var/data/sub"),
    file("var/data/sub/gone"),
    { name: "srv", type: "2", link: "/var" },
  );
  const top = archive(
    dir("var"),
    dir("var/data", { mode: 0o2750, uid: 11, gid: 12, mtime: 6 }),
    file("var/data/b", "b", { mode: 0o600, uid: 13 }),
    { name: "var/data/c", type: "1", link: "var/data/b" },
    dir("var/data/sub"),
    file("var/data/sub/.wh.gone", ""),
  );

  test("a volume is seeded with what the image has there, links followed inside it", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply([base, top]);
    const expected = await describeTree(join(await bench.view(chain), "var/data"));
    for (const path of ["/var/data", "srv/data", "/srv/../../../var/data/"]) {
      const volume = bench.directory();
      expect(await bench.driver.seed(chain, path, volume)).toBe(true);
      expect(await describeTree(volume)).toEqual(expected);
    }
    const one = bench.directory();
    expect(await bench.driver.seed(chain.slice(0, 1), "/var/data", one)).toBe(true);
    expect(readdirSync(one).sort()).toEqual(["a", "sub"]);
  });

  test("a volume with files, or a path that the image has not, is left alone", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply([base, top]);
    const volume = bench.directory();
    for (const path of ["/none", "/var/data/a", "/var/data/a/x", "/var/data/sub/gone"])
      expect([path, await bench.driver.seed(chain, path, volume)]).toEqual([path, false]);
    expect(await bench.driver.seed([], "/var", volume)).toBe(false);
    writeFileSync(join(volume, "mine"), "");
    expect(await bench.driver.seed(chain, "/var/data", volume)).toBe(false);
    expect(readdirSync(volume)).toEqual(["mine"]);
  });
}
