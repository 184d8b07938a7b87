/**
 * Archives that try to leave the tree they are unpacked into, or to make in it what must not be (test table of attacks:
 * CVE-2019-14271, 2021-29136, 2021-30465, 2025-47290 and the like). Each goes through both drivers, as a layer alone and on
 * top of another one. A hashed tree on the host, the canary, lies where they aim.
 */
import { afterAll, expect } from "bun:test";
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../src/base/errors.ts";
import { driverNames, type Workbench, workbench } from "../contract/bench.ts";
import { type Canary, plantCanary } from "../support/canary.ts";
import { hasOneId } from "../support/ordinary.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive, type Member, member, paxRecords } from "../support/tar.ts";
import { treeNeeds } from "../support/tree.ts";

type Part = Member | Uint8Array;
/** Refused with such a message, or honest: applied, and then this holds of the tree. */
type Outcome = RegExp | ((tree: string) => void);

const gated = needs(treeNeeds);
let dir: string;
let canary: Canary;

gated.beforeAll(async () => {
  dir = mkdtempSync(join(scratchDirectory(), "rt-breakout-"));
  canary = await plantCanary(dir);
});
afterAll(() => {
  if (dir) rmSync(dir, { recursive: true, force: true });
});

const file = (name: string, content = "evil"): Member => ({ name, content });
const link = (name: string, to: string): Member => ({ name, type: "2", link: to });
const hard = (name: string, to: string): Member => ({ name, type: "1", link: to });
const folder = (name: string): Member => ({ name, type: "5", mode: 0o755 });
const device = (name: string, type: "3" | "4", major: number, minor: number): Member => ({
  name,
  type,
  device: { major, minor },
});
const has = (path: string, content: string) => (tree: string) =>
  expect(readFileSync(join(tree, path), "utf8")).toBe(content);
const isLink = (path: string, to: string) => (tree: string) =>
  expect(readlinkSync(join(tree, path))).toBe(to);
const absent = (path: string) => (tree: string) =>
  expect(lstatSync(join(tree, path), { throwIfNoEntry: false })).toBeUndefined();
/** A header whose number field is base-256: what octal digits cannot say. */
function base256(m: Member, offset: number, length: number, value: bigint): Uint8Array {
  const bytes = member(m);
  for (let index = 0; index < length; index++)
    bytes[offset + length - 1 - index] = Number((value >> BigInt(8 * index)) & 0xffn);
  bytes[offset]! |= 0x80;
  bytes.fill(0x20, 148, 156);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return bytes;
}

/** `host` is the canary's directory, absolute; `up` the same, from inside any tree, with plenty of "..". */
const attacks: [name: string, parts: (host: string, up: string) => Part[], outcome: Outcome][] = [
  // Names.
  ["a name with ..", (_, up) => [file(`${up}/file`)], /leads out/],
  ["a name of .. alone", () => [folder("..")], /leads out/],
  ["a name that goes down and up again", (_, up) => [folder("a"), file(`a/b/../../${up}/file`)], /leads out/],
  [
    "an absolute name is one below the root",
    (host) => [paxRecords({ path: `${host}/file` }), file("x", "inside")],
    (tree) => has(`${canary.dir}/file`, "inside")(tree),
  ],
  ["a pax path with ..", (_, up) => [paxRecords({ path: `${up}/file` }), file("x")], /leads out/],
  [
    "a GNU long name with ..",
    (_, up) => [{ name: "././@LongLink", type: "L", content: `${up}/file\0` }, file("x")],
    /leads out/,
  ],
  ["a ustar prefix with ..", () => [withPrefix(file("passwd"), "../../../../etc")], /leads out/],
  ["a name with a NUL in a pax record", () => [paxRecords({ path: "a\0b" }), file("x")], /NUL/],
  ["a component of 256 bytes", () => [paxRecords({ path: "n".repeat(256) }), file("x")], /too long/],
  ["a path of 5,000 bytes", () => [paxRecords({ path: "n/".repeat(2500) }), file("x")], /too long/],
  ["a file for a root", () => [{ name: ".", type: "0", content: "evil" }], /root/],
  // Through symbolic links: followed as in the container, where "/" is the tree.
  [
    "a file through an absolute link",
    (host) => [link("out", host), file("out/file", "inside")],
    (tree) => has(join(canary.dir, "file"), "inside")(tree),
  ],
  ["a file through a relative link", (_, up) => [link("out", up), file("out/file", "inside")], isInside],
  [
    "a file through a chain of links",
    (_, up) => [link("a", "b"), link("b", "c"), link("c", up), file("a/file", "inside")],
    isInside,
  ],
  [
    "a file through a link to /",
    () => [link("root", "/"), file("root/etc/x", "inside")],
    has("etc/x", "inside"),
  ],
  [
    "a file through a link to itself",
    () => [link("loop", "loop"), file("loop/x")],
    /symbolic links|not a directory/,
  ],
  [
    "a file through /proc/self/root",
    () => [link("p", "/proc/self/root"), file("p/x", "inside")],
    has("proc/self/root/x", "inside"),
  ],
  [
    "a file through /proc/self/fd",
    () => [link("p", "/proc/self/fd/5"), file("p/x", "inside")],
    has("proc/self/fd/5/x", "inside"),
  ],
  [
    "a file in place of a link is not written through it",
    (host) => [link("f", `${host}/file`), file("f", "inside")],
    (tree) => {
      expect(lstatSync(join(tree, "f")).isFile()).toBe(true);
      has("f", "inside")(tree);
    },
  ],
  [
    "a directory in place of a link",
    (host) => [link("d", host), folder("d"), file("d/file", "inside")],
    has("d/file", "inside"),
  ],
  [
    "owner and mode of a link's target stay",
    (host) => [{ ...link("l", `${host}/file`), mode: 0o777, uid: 1234 }],
    isLinkToCanary,
  ],
  [
    "honest: var/run -> /run",
    () => [folder("run"), folder("var"), link("var/run", "/run"), file("var/run/pid", "1")],
    has("run/pid", "1"),
  ],
  [
    "honest: var/run -> ../run",
    () => [folder("run"), folder("var"), link("var/run", "../run"), file("var/run/pid", "1")],
    has("run/pid", "1"),
  ],
  ["honest: a dangling absolute link", () => [link("l", "/nowhere/at/all")], isLink("l", "/nowhere/at/all")],
  ["an empty link target", () => [link("l", "")], /invalid target/],
  // Hard links.
  ["a hard link to .. names", (_, up) => [hard("h", `${up}/file`)], /leads out/],
  [
    "a hard link to an absolute name",
    (host) => [paxRecords({ linkpath: `${host}/file` }), hard("h", "x")],
    /does not exist/,
  ],
  ["a hard link through a link", (host) => [link("out", host), hard("h", "out/file")], /does not exist/],
  [
    "a hard link to a link that leads out, written to",
    (host) => [link("l", `${host}/file`), hard("h", "l"), file("h", "inside")],
    has("h", "inside"),
  ],
  ["a hard link to a directory", () => [folder("d"), hard("h", "d")], /directory/],
  ["a hard link to the root", () => [hard("h", "./")], /root/],
  ["a hard link to nothing", () => [hard("h", "none")], /does not exist/],
  ["a hard link to itself", () => [hard("h", "h")], /does not exist/],
  // Whiteouts.
  ["a whiteout of ..", () => [file(".wh...")], /invalid whiteout/],
  ["a whiteout of .", () => [file(".wh..")], /invalid whiteout/],
  ["a bare whiteout", () => [file("d/.wh.")], /invalid whiteout/],
  [
    "a whiteout through a link out",
    (_, up) => [link("out", up), file("out/.wh.file")],
    (tree) => isLink("out", upOf())(tree),
  ],
  [
    "an opaque mark through a link out",
    (host) => [link("out", host), file("out/.wh..wh..opq")],
    (tree) => isLink("out", canary.dir)(tree),
  ],
  ["entries below a whiteout", () => [file(".wh.d/x")], /invalid whiteout/],
  ["a device that is overlay's whiteout", () => [device("w", "3", 0, 0)], /0:0/],
  [
    "the attribute that makes a directory opaque",
    () => [paxRecords({ "SCHILY.xattr.trusted.overlay.opaque": "y" }), folder("d"), file("d/y", "inside")],
    (tree) => noOverlayAttributes(tree, "d"),
  ],
  [
    "the attribute that redirects a directory",
    () => [paxRecords({ "SCHILY.xattr.trusted.overlay.redirect": "/etc" }), folder("d")],
    (tree) => noOverlayAttributes(tree, "d"),
  ],
  [
    "overlay's attributes of user namespaces",
    () => [paxRecords({ "SCHILY.xattr.user.overlay.metacopy": "y" }), file("f")],
    (tree) => noOverlayAttributes(tree, "f"),
  ],
  [
    "aufs' leftovers mean nothing",
    () => [folder(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file("a", "a")],
    absent(".wh..wh.plnk"),
  ],
  ["aufs' files do not lead out", (_, up) => [file(`.wh..wh.plnk/../${up}/file`)], /leads out/],
  [
    "a link among aufs' files is none of them",
    (host) => [link(".wh..wh.plnk/l", `${host}/file`), hard("h", ".wh..wh.plnk/l")],
    /does not exist/,
  ],
  ["a hard link to a file that aufs did not keep", () => [hard("h", ".wh..wh.plnk/1.2")], /does not exist/],
  // Devices, owners, sizes.
  [
    "a device major of more than 2^32",
    () => [base256(device("d", "3", 0, 0), 329, 8, 0x1_0000_0001n)],
    /out of range/,
  ],
  ["a device major of 2^12", () => [device("d", "4", 4096, 0)], /out of range/],
  ["an owner of 2^32", () => [paxRecords({ uid: "4294967296" }), file("f")], /out of range/],
  ["an owner of 2^32-1, which is nobody's", () => [base256(file("f"), 108, 8, 0xffffffffn)], /out of range/],
  ["a size of 2^63", () => [paxRecords({ size: "9223372036854775808" }), file("f")], /invalid/],
  [
    "a size that wraps round",
    () => [base256(file("f"), 124, 12, (1n << 62n) * 2n - 1n), file("g")],
    /ends|impossible|middle/,
  ],
  ["a negative size", () => [negativeSize()], /invalid number/],
  ["a pax header of 2 GiB", () => [{ name: "x", type: "x", size: 2 ** 31 }], /limit/],
  [
    "a global header that renames what follows",
    () => [{ name: "g", type: "g", content: "11 path=x\n" }, file("f")],
    /Global|invalid/,
  ],
  [
    "a sparse map beyond the end",
    () => [paxRecords({ "GNU.sparse.map": "0,4,9000,0", "GNU.sparse.size": "100" }), file("f")],
    /sparse/,
  ],
  [
    "a sparse map that overlaps itself",
    () => [paxRecords({ "GNU.sparse.map": "0,4,2,4", "GNU.sparse.size": "100" }), file("f", "12345678")],
    /sparse/,
  ],
  [
    "a sparse map whose sum wraps round",
    () => [
      paxRecords({
        "GNU.sparse.map": "0,9223372036854775807,9223372036854775807,5",
        "GNU.sparse.size": "100",
      }),
      file("f"),
    ],
    /sparse/,
  ],
  [
    "a sparse map of more numbers than its data",
    () => [
      paxRecords({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" }),
      file("f", "999999\n1\n"),
    ],
    /sparse/,
  ],
  [
    "a sparse map of 2^63 entries",
    () => [
      paxRecords({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" }),
      file("f", "9223372036854775808\n"),
    ],
    /sparse/,
  ],
  [
    "a deletion with a size of 2^62",
    () => [base256(file(".wh.x", ""), 124, 12, 1n << 62n), file("g")],
    /ends/,
  ],
  [
    "an extended header whose record is longer than it",
    () => [{ name: "x", type: "x", content: "18446744073709551616 path=y\n" }, file("f")],
    /BadRecord/,
  ],
  ["a device minor of 2^20", () => [device("d", "4", 8, 1 << 20)], /out of range/],
  [
    "an attribute without a name",
    () => [paxRecords({ "SCHILY.xattr.": "1" }), file("f")],
    /invalid extended/,
  ],
  [
    "an attribute with a NUL in its name",
    () => [paxRecords({ "SCHILY.xattr.user.a\0b": "1" }), file("f")],
    /invalid extended/,
  ],
  [
    "an attribute of 64 KiB and one",
    () => [paxRecords({ "SCHILY.xattr.user.a": "v".repeat(65537) }), file("f")],
    /invalid extended/,
  ],
  [
    "honest: the times that a file system can hold are as near as it comes",
    () => [paxRecords({ mtime: "9223372036854775807" }), file("f", "inside")],
    has("f", "inside"),
  ],
  ["a path without links of more than 4,096 bytes", () => beyondPath(folder), /too long/],
  [
    "a path without links of more than 4,096 bytes, implied",
    () => beyondPath((name) => file(`${name}/x`)),
    /too long/,
  ],
  ["an unknown kind of member", () => [{ name: "f", type: "Z" }], /unknown type/],
];

/** Sixteen names of 255 bytes, reached by a link of one, and then once more. */
function beyondPath(last: (name: string) => Member): Part[] {
  const deep = Array.from({ length: 15 }, (_, index) => String.fromCharCode(97 + index).repeat(255)).join(
    "/",
  );
  const long = (full: string): Member => ({ name: "././@LongLink", type: "L", content: `${full}\0` });
  const parts: Part[] = [long(deep), folder("d"), paxRecords({ linkpath: deep }), link("l", "x")];
  let path = "l";
  for (let level = 0; level < 4; level++) {
    path += `/${"x".repeat(255)}`;
    parts.push(long(level === 3 ? last(path).name : path), level === 3 ? last("d") : folder("d"));
  }
  return parts;
}

function noOverlayAttributes(tree: string, name: string): void {
  const dump = ["getfattr", "-d", "-m", "overlay", join(tree, name)];
  expect(Bun.spawnSync(dump).stdout.toString()).toBe("");
}

function upOf(): string {
  return `${"../".repeat(12)}${canary.dir.slice(1)}`;
}

/** ".." stops at the tree's root, so what was aimed at the canary is the same path inside. */
function isInside(tree: string): void {
  has(join(canary.dir, "file"), "inside")(tree);
}

function isLinkToCanary(tree: string): void {
  isLink("l", `${canary.dir}/file`)(tree);
  // With one id a link is his, and can have no note of whose it should be.
  expect(lstatSync(join(tree, "l")).uid).toBe(hasOneId ? 0 : 1234);
}

function withPrefix(m: Member, prefix: string): Uint8Array {
  const bytes = member(m);
  bytes.set(Buffer.from(prefix), 345);
  bytes.fill(0x20, 148, 156);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return bytes;
}

function negativeSize(): Uint8Array {
  const bytes = base256(file("f"), 124, 12, -1n);
  bytes[124] = 0xff;
  bytes.fill(0x20, 148, 156);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return bytes;
}

async function judge(
  bench: Workbench,
  tar: Uint8Array,
  below: Uint8Array[],
  outcome: Outcome,
): Promise<void> {
  const chain = await bench.apply(below);
  const request = bench.request(tar, [...chain]);
  const error = await bench.driver.unpack(request).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  await canary.check();
  if (outcome instanceof RegExp) {
    if (!(error instanceof RtError)) throw new Error(`it was not refused: ${error}`);
    expect([error.code, error.message]).toEqual(["data-loss", expect.stringMatching(outcome)]);
    // One line for a person, without the archive's own bytes in it.
    expect(error.message).toMatch(/^[ -~]+$/);
    expect(bench.driver.list().committed).toEqual(chain);
  } else {
    if (error) throw error;
    outcome(await bench.view([...chain, request.chain]));
    await canary.check();
  }
  expect(bench.leftovers()).toEqual([]);
}

/** Below the attacking layer: nothing; something honest; the links themselves, so that the attack spans two layers. */
const honest = archive(folder("etc"), file("etc/x", "honest"), folder("d"), file("d/x", "honest"));

for (const driver of driverNames) {
  for (const [name, parts, outcome] of attacks) {
    gated.test(`${driver}: ${name}`, async () => {
      const tar = archive(...parts(canary.dir, upOf()));
      for (const below of [[], [honest]]) {
        await using bench = workbench(driver);
        await judge(bench, tar, below, outcome);
      }
    });
  }

  for (const [name, parts, outcome] of attacks.filter(([, parts]) => startsWithLink(parts("/c", "../c")))) {
    gated.test(`${driver}, links in a layer of their own: ${name}`, async () => {
      const all = parts(canary.dir, upOf());
      const isLinkMember = (part: Part) => !(part instanceof Uint8Array) && part.type === "2";
      const below = all.filter(isLinkMember);
      const rest = all.filter((part) => !isLinkMember(part));
      await using bench = workbench(driver);
      await judge(bench, archive(...rest), [archive(folder("run"), folder("var"), ...below)], outcome);
    });
  }
}

function startsWithLink(parts: readonly Part[]): boolean {
  const [first, second] = parts;
  return second !== undefined && !(first instanceof Uint8Array) && first?.type === "2";
}
