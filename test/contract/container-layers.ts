/** What a container changed, written as a layer: unpacked on top of its image, by whichever driver, it is what the container had. */
import { expect } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { oddTree } from "../support/odd-tree.ts";
import { hasOneId, inUserNamespace } from "../support/ordinary.ts";
import { archive, paxRecords } from "../support/tar.ts";
import { describeTree, treeDifference } from "../support/tree.ts";
import { type DriverName, driverNames, sha256, type Workbench, workbench } from "./bench.ts";
import { dir, file, type Test } from "./layering.ts";

const huge = "h".repeat(255);

const layers = [
  archive(
    ...[dir("a"), file("a/one"), file("a/two"), dir("b"), file("b/x"), dir("b/sub"), file("b/sub/old")],
    ...[dir("same"), file("same/f"), dir("was-dir"), file("was-dir/f"), file("was-file")],
    ...[dir("untouched"), file("untouched/f"), file("linked"), dir("moved"), file("moved/f")],
    paxRecords({ path: huge }),
    file("huge"),
    dir("etc", { mtime: 1000 }),
  ),
  archive(dir("a"), file("a/.wh.two"), file("a/three"), file("four"), dir("moved"), file("moved/g")),
];

/** All ways in which a file can be another than before. */
async function live(tree: string): Promise<void> {
  const at = (name: string) => join(tree, name);
  rmSync(at("a/one"));
  writeFileSync(at("a/two"), "again");
  rmSync(at("b"), { recursive: true });
  mkdirSync(at("b"));
  mkdirSync(at("b/sub"));
  writeFileSync(at("b/sub/new"), "");
  rmSync(at("was-dir"), { recursive: true });
  writeFileSync(at("was-dir"), "now a file");
  rmSync(at("was-file"));
  mkdirSync(at("was-file"));
  writeFileSync(at("was-file/inside"), "");
  linkSync(at("linked"), at("linked-again"));
  chmodSync(at("same/f"), 0o4711);
  rmSync(at(huge));
  renameSync(at("four"), at("renamed"));
  await run(["mv", at("moved"), at("elsewhere")]);
  await oddTree(at("odd"), "all");
  symlinkSync("/nowhere", at(`${"l".repeat(255)}`));
  writeFileSync(at("a/three"), "longer than it was");
  utimesSync(at("a"), 1, 2.25);
  chmodSync(tree, 0o711);
  await run(["setfattr", "-n", "user.note", "-v", "mine", at("untouched")]);
}

/**
 * But for the time of the root, which is that of the container's making, and for two names of a file of the image: in a user
 * namespace overlay may tell them by different numbers.
 */
async function difference(tree: string, made: string): Promise<string[]> {
  const [left, right] = [await describeTree(tree), await describeTree(made)];
  for (const each of [left, right]) {
    each.set("/", each.get("/")!.replace(/ mtime=\d+/, ""));
    if (hasOneId) for (const [path, line] of each) each.set(path, withoutNote(line));
    const again = each.get("/linked-again");
    if (inUserNamespace && again) each.set("/linked-again", again.replace(/ of \S+$/, ""));
  }
  return treeDifference(left, right);
}

/** With one id, who makes a program set-id has such a file; unpacked, it is a note. */
function withoutNote(line: string): string {
  return line.replace(/^file [2-7](?=\d{3} )/, "file ").replace(/ user\.containers\.override_stat=\S+/, "");
}

interface Committed {
  bytes: Uint8Array;
  leftOut: number;
}

async function committed(bench: Workbench, chain: Parameters<Workbench["view"]>[0], given: string[] = []) {
  const path = join(bench.dir, "layer.tar");
  const fd = openSync(path, "w+");
  try {
    const written = await bench.driver.commit("k", chain, given, fd);
    const bytes = new Uint8Array(readFileSync(path));
    expect(written).toMatchObject({ bytes: bytes.length, digest: sha256(bytes) });
    return { bytes, leftOut: written.leftOut } satisfies Committed;
  } finally {
    closeSync(fd);
  }
}

async function remade(bench: Workbench, chain: Parameters<Workbench["view"]>[0]) {
  const fd = openSync(join(bench.dir, "remade.tar"), "w+");
  try {
    return await bench.driver.remake(chain, fd);
  } finally {
    closeSync(fd);
  }
}

export function containerLayers(name: DriverName, test: Test): void {
  for (const other of driverNames)
    test(`commit: unpacked again by ${other} it is the same tree, to the last attribute`, async () => {
      await using bench = workbench(name);
      const chain = await bench.apply(layers);
      const tree = await bench.view(chain, "k");
      await live(tree);
      const layer = await committed(bench, chain);
      expect(layer.leftOut).toBe(0);
      await using again = workbench(other);
      const below = await again.apply(layers);
      const made = await again.view(await again.apply([layer.bytes], below));
      expect(await difference(tree, made)).toEqual([]);
      expect(statSync(join(made, "odd/sparse")).blocks * 512).toBeLessThan(5 << 20);
    });

  for (const other of driverNames)
    test(`commit: the same tree is the same bytes, and ${other} makes them again of what was unpacked`, async () => {
      await using bench = workbench(name);
      const chain = await bench.apply(layers);
      await live(await bench.view(chain, "k"));
      const { bytes } = await committed(bench, chain);
      expect(sha256((await committed(bench, chain)).bytes)).toBe(sha256(bytes));
      await using again = workbench(other);
      const below = await again.apply(layers);
      const whole = await again.apply([bytes], below);
      expect(await remade(again, whole)).toEqual({ digest: sha256(bytes), bytes: bytes.length, leftOut: 0 });
      // Another layer on top of it changes nothing of that, and what others packed is whole, if not the same bytes.
      await again.apply([layers[1]!], whole);
      expect((await remade(again, whole)).digest).toBe(sha256(bytes));
      const [first] = below;
      const foreign = await remade(again, [first!]);
      expect(foreign.digest).not.toBe(sha256(layers[0]!));
      const tar = new Uint8Array(readFileSync(join(again.dir, "remade.tar")));
      expect(sha256(tar)).toBe(foreign.digest);
      await using third = workbench(name);
      const copied = await third.apply([tar]);
      expect(await difference(again.onDisk(first!), third.onDisk(copied[0]!))).toEqual([]);
    });

  test("commit: names come by their bytes, whatever the file system lists first", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply(layers);
    const tree = await bench.view(chain, "k");
    const names = Array.from({ length: 300 }, (_, index) => `n${(index * 7919) % 300}`);
    for (const each of names) writeFileSync(join(tree, each), "");
    for (const each of ["a/one", "b/x", "was-file"]) rmSync(join(tree, each));
    await committed(bench, chain);
    const listed = (await run(["tar", "tf", join(bench.dir, "layer.tar")])).split("\n").filter(Boolean);
    const wanted = ["./", "a/", "a/.wh.one", "b/", "b/.wh.x", ...names.toSorted(), ".wh.was-file"];
    expect(listed).toEqual(wanted);
  });

  test("remake: a layer that is not unpacked is not there", async () => {
    await using bench = workbench(name);
    const [chain] = await bench.apply([layers[0]!]);
    await bench.driver.removeCommitted(chain!);
    await expect(remade(bench, [chain!])).rejects.toThrow("not unpacked");
  });

  test("commit: where nothing was changed, or only by the start, the layer is empty", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply(layers);
    const tree = await bench.view(chain, "k");
    expect((await committed(bench, chain)).bytes).toEqual(new Uint8Array(1024));
    for (const given of ["dev", "proc"]) mkdirSync(join(tree, given));
    writeFileSync(join(tree, "etc/hosts"), "");
    const { bytes } = await committed(bench, chain, ["/dev", "/proc", "/etc", "/etc/hosts"]);
    expect(bytes).toEqual(new Uint8Array(1024));
    writeFileSync(join(tree, "etc/own"), "");
    const more = await committed(bench, chain, ["/dev", "/proc", "/etc", "/etc/hosts"]);
    const names = await run(["tar", "tf", join(bench.dir, "layer.tar")]);
    expect(names.split("\n").filter(Boolean)).toEqual(["./", "etc/", "etc/own"]);
    expect(more.leftOut).toBe(0);
  });

  test("commit: on nothing at all", async () => {
    await using bench = workbench(name);
    await bench.driver.prepare("k", []);
    const tree = await bench.view([], "k");
    await oddTree(join(tree, "odd"), "long");
    const { bytes } = await committed(bench, []);
    await using again = workbench(name);
    const made = await again.view(await again.apply([bytes]));
    expect(await difference(tree, made)).toEqual([]);
  });

  test("commit: names that would delete something, and sockets, are left out", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply(layers);
    const tree = await bench.view(chain, "k");
    for (const evil of [".wh.a", ".wh..wh..opq", "b/.wh.x", ".wh."]) writeFileSync(join(tree, evil), "");
    mkdirSync(join(tree, ".wh.untouched"));
    writeFileSync(join(tree, ".wh.untouched/f"), "");
    const listener = Bun.listen({ unix: join(tree, "socket"), socket: { data() {} } });
    const { bytes, leftOut } = await committed(bench, chain);
    listener.stop();
    expect(leftOut).toBe(5);
    await using again = workbench(name);
    const made = await again.view(await again.apply([bytes], await again.apply(layers)));
    for (const kept of ["a/one", "b/x", "untouched/f"]) expect(existsSync(join(made, kept))).toBe(true);
    expect(existsSync(join(made, "socket"))).toBe(false);
  });

  test("commit: no more than it may take, and holes take none", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply(layers);
    const tree = await bench.view(chain, "k");
    await run(["truncate", "-s", "3G", join(tree, "sparse")]);
    const path = join(bench.dir, "layer.tar");
    const fd = openSync(path, "w+");
    try {
      const refused = bench.driver.commit("k", chain, [], fd, { sizeMax: 1 << 30 });
      expect(await refused.catch((error) => error.message)).toMatch(/larger than 1073741824 bytes/);
    } finally {
      closeSync(fd);
    }
    await run(["truncate", "-s", "100M", join(tree, "sparse")]);
    const { bytes } = await committed(bench, chain);
    expect(bytes.length).toBeGreaterThan(100 << 20);
    expect(lstatSync(path).blocks * 512).toBeLessThan(1 << 20);
  });
}
