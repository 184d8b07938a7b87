/**
 * Containers with a user namespace of their own: their image has the container's numbers, what they write has the host's, and who
 * looks from outside sees the container's. Where layers cannot be seen through maps, the top is a copy of all of them.
 */
import { expect } from "bun:test";
import {
  closeSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { IdMap } from "../../src/base/id-map.ts";
import { rememberMapped } from "../../src/snapshot/mapped.ts";
import { asRootOf } from "../support/idmapped.ts";
import { oddTree } from "../support/odd-tree.ts";
import { archive, paxRecords } from "../support/tar.ts";
import { describeTree, treeDifference } from "../support/tree.ts";
import { type DriverName, driverNames, type Workbench, workbench } from "./bench.ts";
import { dir, file, type Test } from "./layering.ts";

const shift = 1_000_000;
const range = { container: 0, host: shift, size: 300_000 };
const owners: IdMap = { uids: [range], gids: [{ ...range, host: 2 * shift }] };

/** user:7 and group:8 may read, as the attribute says it. */
const acl =
  "\x02\0\0\0\x01\0\x06\0\0\0\0\0\x02\0\x04\0\x07\0\0\0\x04\0\x04\0\0\0\0\0\x08\0\x04\0\x08\0\0\0\x10\0\x04\0\0\0\0\0\x20\0\0\0\0\0\0\0";

const layers = [
  archive(
    ...[dir("a", { uid: 5, gid: 6 }), file("a/one"), file("a/two", "two", { uid: 7, gid: 8, mode: 0o4711 })],
    ...[dir("b"), file("b/x"), dir("etc", { mtime: 1000 }), file("gone")],
    ...[
      { name: "hard", type: "1", link: "a/two" },
      { name: "pipe", type: "6", uid: 9 },
    ],
    { name: "null", type: "3", device: { major: 1, minor: 3 }, uid: 10 },
    { name: "link", type: "2", link: "/nowhere", uid: 11, gid: 12 },
    paxRecords({ "SCHILY.xattr.system.posix_acl_access": acl }),
    file("listed", "listed", { mode: 0o640 }),
  ),
  archive(dir("b", { uid: 3 }), file("b/y"), file(".wh.gone", "")),
];

/** How a driver gives a container its top. */
export type Way = "mapped" | "copied";

async function prepared(name: DriverName, way: Way): Promise<Workbench> {
  const bench = workbench(name);
  mkdirSync(bench.root);
  if (name === "overlay") rememberMapped(bench.root, way === "mapped");
  return bench;
}

/** A description with the host's numbers, as the container sees it. */
function inside(description: Map<string, string>): Map<string, string> {
  const number = (text: string, by: number) =>
    Number(text) >= by && Number(text) < by + range.size ? Number(text) - by : 65534;
  return new Map(
    [...description].map(([path, line]) => [
      path,
      line
        .replace(
          / (\d+):(\d+) mtime/,
          (_, uid, gid) => ` ${number(uid, shift)}:${number(gid, 2 * shift)} mtime`,
        )
        .replace(/(security.capability=0x\d+)03(\w{32})40420f00/, "$102$2")
        .replace(/(posix_acl_access=\w+02000400)47420f00/, "$107000000")
        .replace(/(posix_acl_access=\w+08000400)88841e00/, "$108000000"),
    ]),
  );
}

async function difference(left: Map<string, string>, right: Map<string, string>): Promise<string[]> {
  for (const each of [left, right]) each.set("/", each.get("/")!.replace(/ mtime=\d+/, ""));
  return treeDifference(left, right);
}

/** What root of the container does in it, as far as its numbers go; devices are the host's gift. */
async function live(tree: string): Promise<void> {
  await oddTree(join(tree, "odd"), "long");
  // As the container itself would have given them.
  const visit = (path: string) => {
    const { uid, gid } = lstatSync(path);
    const mode = lstatSync(path).mode & 0o7777;
    lchownSync(path, uid + shift, gid + 2 * shift);
    if (!lstatSync(path).isSymbolicLink() && mode & 0o6000) Bun.spawnSync(["chmod", mode.toString(8), path]);
    if (lstatSync(path).isDirectory())
      for (const name of readdirSync(Buffer.from(path), "latin1")) visitBytes(path, name);
  };
  const visitBytes = (path: string, name: string) => {
    if (Buffer.from(name, "latin1").toString("utf8").includes("\ufffd")) {
      Bun.spawnSync(["sh", "-c", `chown -h ${shift}:${2 * shift} not-utf8-*`], { cwd: path });
    } else visit(join(path, Buffer.from(name, "latin1").toString("utf8")));
  };
  visit(join(tree, "odd"));
  const script = [
    "echo two >> a/two; rm -r b; mkdir b; echo new > b/new; chown 7:8 b/new; mv a/one a/renamed; rm hard",
    "cp /bin/true capped; setcap cap_net_raw+ep capped; chmod 711 .; setfattr -n user.note -v mine etc",
    `touch ${"l".repeat(255)}; chmod 0 a/renamed`,
  ];
  await asRootOf(owners, tree, script.join("\n"));
}

async function committed(bench: Workbench, chain: Parameters<Workbench["view"]>[0]): Promise<Uint8Array> {
  const path = join(bench.dir, "layer.tar");
  const fd = openSync(path, "w+");
  try {
    await bench.driver.commit("k", chain, [], fd, { owners });
    return new Uint8Array(readFileSync(path));
  } finally {
    closeSync(fd);
  }
}

export function ownersContract(name: DriverName, test: Test): void {
  const ways: Way[] = name === "overlay" ? ["mapped", "copied"] : ["copied"];
  for (const way of ways) oneWay(name, way, (what, body) => test(`owners, ${way}: ${what}`, body));
  test("owners: whether layers can be mapped is looked at once", async () => {
    await using bench = workbench(name);
    const works = await bench.driver.mapsLayers();
    if (name === "copy") return;
    expect(readFileSync(join(bench.root, "mapped"), "utf8")).toEndWith(works ? " yes\n" : " no\n");
    rememberMapped(bench.root, !works);
    expect(await bench.driver.mapsLayers()).toBe(!works);
    writeFileSync(join(bench.root, "mapped"), `${crypto.randomUUID()} 6.1.0 7 ${works ? "no" : "yes"}\n`);
    expect(await bench.driver.mapsLayers()).toBe(works);
    expect(readdirSync(bench.root)).toEqual(["mapped"]);
  });
}

function oneWay(name: DriverName, way: Way, test: Test): void {
  test("the image is the container's, to the last attribute", async () => {
    await using bench = await prepared(name, way);
    const chain = await bench.apply(layers);
    const tree = await bench.view(chain, "k", owners);
    const plain = await bench.view(chain);
    expect(await difference(inside(await describeTree(tree)), await describeTree(plain))).toEqual([]);
    const { uid, gid } = statSync(join(tree, "a/two"));
    expect([uid, gid]).toEqual([shift + 7, 2 * shift + 8]);
    await bench.driver.removeActive("k");
    expect(bench.isActive("k")).toBe(false);
  });

  test("changes: an owner that is the same through the maps is none", async () => {
    await using bench = await prepared(name, way);
    const chain = await bench.apply(layers);
    const tree = await bench.view(chain, "k", owners);
    const changes = async () => {
      const found = await bench.driver.changes("k", chain, [], { owners });
      return found.map(({ kind, path }) => `${kind} ${path}`).sort();
    };
    expect(await changes()).toEqual([]);
    await asRootOf(owners, tree, "chown 1:1 a; rm b/x; echo > new");
    expect(await changes()).toEqual(["A /new", "C /a", "C /b", "D /b/x"]);
  });

  for (const other of driverNames)
    test(`commit: unpacked again by ${other} it is what the container saw`, async () => {
      await using bench = await prepared(name, way);
      const chain = await bench.apply(layers);
      const tree = await bench.view(chain, "k", owners);
      await live(tree);
      // Whose it is, nobody in the container can say.
      writeFileSync(join(tree, "foreign"), "");
      const layer = await committed(bench, chain);
      await using again = workbench(other);
      const made = await again.view(await again.apply([layer], await again.apply(layers)));
      const seen = inside(await describeTree(tree));
      const differences = await difference(seen, await describeTree(made));
      expect(differences).toEqual([]);
      expect(seen.get("/foreign")).toContain(" 65534:65534 ");
      expect(seen.get("/capped")).toMatch(/security.capability=0x\d+02/);
    });

  test("usage, and removal whatever the modes", async () => {
    await using bench = await prepared(name, way);
    const chain = await bench.apply(layers);
    const tree = await bench.view(chain, "k", owners);
    const before = await bench.driver.usage("k");
    await asRootOf(
      owners,
      tree,
      "head -c 1048576 /dev/zero > big; mkdir -p shut/in; touch shut/in/x; chmod 0 shut shut/in",
    );
    const after = await bench.driver.usage("k");
    expect(after.bytes - before.bytes).toBeGreaterThanOrEqual(1 << 20);
    expect(after.inodes - before.inodes).toBe(4);
    await using other = await prepared(name, way);
    await other.driver.prepare("k", [], { owners });
    const rootfs = other.driver.rootfs("k", [], { owners });
    const top = rootfs.type === "bind" ? rootfs.source : rootfs.upper;
    expect(statSync(top)).toMatchObject({ uid: shift, gid: 2 * shift });
    await other.driver.removeActive("k");
    expect(existsSync(top)).toBe(false);
  });

  test("a volume that cannot be mapped is seeded with the host's numbers", async () => {
    await using bench = await prepared(name, way);
    const chain = await bench.apply(layers);
    const [plain, shifted] = [bench.directory(), bench.directory()];
    expect(await bench.driver.seed(chain, "/a", plain)).toBe(true);
    expect(await bench.driver.seed(chain, "/a", shifted, { owners })).toBe(true);
    expect(statSync(plain)).toMatchObject({ uid: 5, gid: 6 });
    expect(await difference(inside(await describeTree(shifted)), await describeTree(plain))).toEqual([]);
  });

  test("an owner, a list or capabilities of somebody who is not in the maps", async () => {
    await using bench = await prepared(name, way);
    const small = (size: number) => ({ uids: [{ ...range, size }], gids: [{ ...range, size }] });
    const chain = await bench.apply(layers);
    for (const size of [5, 8]) {
      const made = bench.driver.prepare(`k${size}`, chain, { owners: small(size) });
      // Mapped, it is nobody's in there.
      if (way === "mapped") await made;
      else
        expect(await made.catch((error) => error.message)).toContain("whom the container's user namespace");
    }
    const listed = archive(
      paxRecords({ "SCHILY.xattr.system.posix_acl_access": acl }),
      file("listed", "listed", { mode: 0o640 }),
    );
    const lists = await bench.apply([listed]);
    const refused = bench.driver.seed(lists, "/", bench.directory(), { owners: small(8) });
    expect(await refused.catch((error) => error.message)).toContain(
      "listed has an access control list for somebody",
    );
    const none = {
      uids: [{ container: 1, host: shift, size: 9 }],
      gids: [{ container: 1, host: shift, size: 9 }],
    };
    const rootless = bench.driver.prepare("none", chain, { owners: none });
    expect(await rootless.catch((error) => error.code)).toBe("invalid-argument");
  });
}
