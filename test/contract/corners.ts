/** Layers as old tools, odd tools and nobody's tools write them: part of the contract of snapshot drivers. */
import { expect } from "bun:test";
import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { inUserNamespace, ownerOf } from "../support/ordinary.ts";
import { archive, type Member, paxRecords } from "../support/tar.ts";
import { type DriverName, workbench } from "./bench.ts";
import { dir, file, imageTest, names, type Test } from "./layering.ts";

const hard = (name: string, link: string): Member => ({ name, type: "1", link });

export function corners(name: DriverName, test: Test): void {
  deletions(name, test);
  replacements(name, test);
  impliedDirectories(name, test);
  names_(name, test);
  attributes(name, test);
  depth(name, test);
}

function deletions(name: DriverName, test: Test): void {
  const image = imageTest(name, test);
  image(
    "a deletion makes no directory, where there is none, or the same or a lower layer deleted it",
    [
      archive(dir("d"), file("d/x"), dir("e"), file("e/x"), dir("g"), file("g/x"), file("f")),
      archive(
        file("none/exist/.wh.x", ""),
        file("none/.wh..wh..opq", ""),
        file(".wh.d", ""),
        file("d/.wh.x", ""),
        file("e/.wh.x", ""),
        file(".wh.e", ""),
        file("g/none/.wh.x", ""),
        file("f/.wh.x", ""),
      ),
      archive(
        file("d/.wh.x", ""),
        file("d/sub/.wh..wh..opq", ""),
        file("e/.wh..wh..opq", ""),
        file("g/.wh.y", ""),
      ),
    ],
    (tree) => expect(names(tree)).toEqual(["f=f", "g", "g/x=g/x"]),
  );
  image(
    "an opaque mark for a directory that the layer does not list spares the directory itself",
    [
      archive(
        dir("d", { mode: 0o700, uid: 5, mtime: 77 }),
        file("d/old"),
        dir("d/e"),
        file("d/e/old"),
        file("x"),
      ),
      archive(file("d/.wh..wh..opq", ""), file(".wh.x", "")),
    ],
    (tree) => {
      const { mtimeMs } = statSync(join(tree, "d"));
      const { mode, uid } = ownerOf(join(tree, "d"));
      expect([names(tree), mode, uid, mtimeMs]).toEqual([["d"], 0o700, 5, 77000]);
    },
  );
  image(
    "what an opaque mark hides says nothing of what comes after it",
    [
      archive(dir("d", { mode: 0o700, uid: 5 }), dir("d/e", { mode: 0o711, uid: 6 }), file("d/e/old")),
      archive(file("d/.wh..wh..opq", ""), file("d/e/new")),
    ],
    (tree) => {
      const [d, e] = [ownerOf(join(tree, "d")), ownerOf(join(tree, "d/e"))];
      expect(names(tree)).toEqual(["d", "d/e", "d/e/new=d/e/new"]);
      expect([d.mode, d.uid, e.mode, e.uid]).toEqual([0o700, 5, 0o755, 0]);
    },
  );
  image(
    "deletions through a link of a lower layer, and through one of their own",
    [
      archive(dir("run"), file("run/a"), file("run/b"), file("run/c"), dir("var"), {
        name: "var/run",
        type: "2",
        link: "../run",
      }),
      archive(
        file("var/run/.wh.a", ""),
        { name: "own", type: "2", link: "/run" },
        file("own/.wh.b", ""),
        file("own/new"),
      ),
    ],
    (tree) => expect(names(tree)).toEqual(["own", "run", "run/c=run/c", "run/new=own/new", "var", "var/run"]),
  );
  image(
    "hard links to what aufs kept are files, and its directory is not there",
    [
      archive(
        dir(".wh..wh.plnk"),
        file(".wh..wh.plnk/12.34", "linked", { mode: 0o750 }),
        file(".wh..wh.aufs", ""),
        dir("d"),
        hard("d/a", ".wh..wh.plnk/12.34"),
        hard("b", "/.wh..wh.plnk/12.34"),
      ),
    ],
    (tree) => {
      expect(names(tree)).toEqual(["b=linked", "d", "d/a=linked"]);
      const { mode, nlink } = statSync(join(tree, "b"));
      expect([mode & 0o7777, nlink]).toEqual([0o750, 2]);
    },
  );
}

function replacements(name: DriverName, test: Test): void {
  const image = imageTest(name, test);
  image(
    "a layer that makes a file of a directory and a directory of that hides what was below",
    [
      archive(dir("d"), file("d/old"), file("f", "old")),
      archive(
        dir("d"),
        file("d/gone"),
        file("d", "file"),
        dir("d"),
        file("d/new"),
        file("f", "now"),
        dir("f"),
      ),
    ],
    (tree) => expect(names(tree)).toEqual(["d", "d/new=d/new", "f"]),
  );
  image(
    "a directory that a layer does not list keeps its time, whatever is made and deleted in it",
    [
      archive(
        dir("a", { mtime: 11 }),
        dir("a/b", { mtime: 22 }),
        file("a/x"),
        dir("c", { mtime: 33 }),
        dir("c/e", { mtime: 44 }),
        file("c/e/x"),
      ),
      archive(file("a/b/c/new"), file("a/.wh.x", ""), file("c/e/new"), file("c/.wh.e", "")),
    ],
    (tree) => {
      expect(names(tree)).toEqual([
        "a",
        "a/b",
        "a/b/c",
        "a/b/c/new=a/b/c/new",
        "c",
        "c/e",
        "c/e/new=c/e/new",
      ]);
      expect(["a", "a/b", "c", "c/e"].map((path) => statSync(join(tree, path)).mtimeMs)).toEqual([
        11000, 22000, 33000, 44000,
      ]);
    },
  );
}

/** A layer that changes its mind about a directory: overlay, too, then applies it to a merged tree. */
const changedMind = [file("mind/of"), file("mind", "changed")];

/** Entries in what is no directory: of a lower layer it gives way, of the layer itself it is an error. */
function impliedDirectories(name: DriverName, test: Test): void {
  const image = imageTest(name, test);
  for (const [what, more] of [
    ["", []],
    [", in a merged tree too", changedMind],
  ] as const) {
    image(
      `a directory that is deleted after something in it, and then implied anew, is new${what}`,
      [
        archive(dir("a"), dir("a/b", { mode: 0o700, uid: 5, mtime: 22 }), file("a/b/x")),
        archive(file("a/b/.wh.x", ""), file("a/.wh.b", ""), file("a/b/new"), ...more),
      ],
      (tree) => {
        const { mode, uid, mtimeMs } = statSync(join(tree, "a/b"));
        expect(readdirSync(join(tree, "a/b"))).toEqual(["new"]);
        expect([mode & 0o7777, uid, mtimeMs === 22000]).toEqual([0o755, 0, false]);
      },
    );
  }
  image(
    "a directory that a layer only implies replaces what a lower layer has there and is none, and touches no time above it",
    [
      archive(
        dir("z", { mtime: 77 }),
        file("z/file", "old", { mode: 0o600, uid: 5 }),
        { name: "z/fifo", type: "6" },
        { name: "z/device", type: "3", device: { major: 1, minor: 3 } },
        file("z/alias-of", "kept"),
        hard("z/alias", "z/alias-of"),
        { name: "z/link", type: "2", link: "linked" },
        file("z/linked"),
      ),
      archive(
        ...["file/in", "fifo/in", "device/a/b", "alias/in", "link/in"].map((at) => file(`z/${at}`, "new")),
      ),
    ],
    (tree) => {
      expect(names(tree)).toEqual([
        "z",
        "z/alias",
        "z/alias/in=new",
        "z/alias-of=kept",
        "z/device",
        "z/device/a",
        "z/device/a/b=new",
        "z/fifo",
        "z/fifo/in=new",
        "z/file",
        "z/file/in=new",
        "z/link",
        "z/linked",
        "z/linked/in=new",
      ]);
      const { mode, uid } = statSync(join(tree, "z/file"));
      expect([mode & 0o7777, uid, statSync(join(tree, "z")).mtimeMs]).toEqual([0o755, 0, 77000]);
    },
  );
  test("an entry in a file of its own layer is refused", async () => {
    await using bench = workbench(name);
    const chain = await bench.apply([archive(dir("z"), file("z/q", "below"))]);
    for (const members of [
      [file("z/q"), file("z/q/in")],
      [file("z/new"), file("z/new/sub/in")],
      [hard("z/new", "z/q"), file("z/new/in")],
    ])
      await expect(bench.apply([archive(...members)], chain)).rejects.toThrow("is not a directory");
    expect(bench.leftovers()).toEqual([]);
  });
}

function names_(name: DriverName, test: Test): void {
  const image = imageTest(name, test);
  const long = (bytes: number) => `${"d".repeat(99)}/${"n".repeat(bytes)}`;
  for (const kind of ["pax", "GNU"] as const) {
    image(
      `a ${kind} name whose first 100 bytes end in a slash is a file's, and one with a slash at its end a directory's`,
      [
        archive(
          ...named(kind, long(20), file(long(0), "content")),
          ...named(kind, `${long(30)}/`, file(long(0), "")),
          file("old/", ""),
        ),
      ],
      (tree) => {
        expect(readFileSync(join(tree, long(20)), "utf8")).toBe("content");
        expect([
          lstatSync(join(tree, long(30))).isDirectory(),
          lstatSync(join(tree, "old")).isDirectory(),
        ]).toEqual([true, true]);
      },
    );
  }
  image(
    "a global header between an extended one and its entry takes nothing away",
    [
      archive(
        paxRecords({ path: "n".repeat(150) }),
        { name: "g", type: "g", content: `${" ".repeat(0)}20 comment=${"x".repeat(8)}\n` },
        file("short"),
      ),
    ],
    (tree) => expect(names(tree)).toEqual([`${"n".repeat(150)}=short`]),
  );
  image(
    "a file with a slash at its end is a directory, and its data is no header; before files had a type it has none",
    [
      archive(
        file("data/", "d".repeat(700), { mode: 0o755 }),
        file("data/in"),
        file("contiguous/", "d", { mode: 0o755, type: "7" }),
        file("v7/", "", { mode: 0o755, type: "\0", size: 512 }),
        file("after"),
      ),
    ],
    (tree) => expect(names(tree)).toEqual(["after=after", "contiguous", "data", "data/in=data/in", "v7"]),
  );
}

function named(kind: "pax" | "GNU", full: string, entry: Member): (Member | Uint8Array)[] {
  const header = kind === "pax" ? paxRecords({ path: full }) : longName(full);
  return [header, { ...entry, name: full.slice(0, 100) }];
}

const longName = (full: string): Member => ({ name: "././@LongLink", type: "L", content: `${full}\0` });

function attributes(name: DriverName, test: Test): void {
  const image = imageTest(name, test);
  const with_ = (records: Record<string, string>) =>
    paxRecords(
      Object.fromEntries(Object.entries(records).map(([key, value]) => [`SCHILY.xattr.${key}`, value])),
    );
  image(
    "overlay's own attributes are left out",
    [
      archive(dir("d"), file("d/below")),
      archive(
        with_({ "trusted.overlay.opaque": "y", "user.overlay.opaque": "y", "user.kept": "1" }),
        dir("d"),
        with_({ "trusted.overlay.redirect": "/d", "trusted.overlay.metacopy": "" }),
        file("f"),
      ),
    ],
    (tree) => expect(names(tree)).toEqual(["d", "d/below=d/below", "f=f"]),
  );
  image(
    "attributes of users on what cannot have them are left out",
    [
      archive(
        with_({ "user.x": "1" }),
        { name: "link", type: "2", link: "nowhere" },
        with_({ "user.x": "1" }),
        { name: "fifo", type: "6" },
        with_({ "user.x": "1" }),
        { name: "device", type: "3", device: { major: 1, minor: 3 } },
      ),
    ],
    (tree) => expect(names(tree)).toEqual([...(inUserNamespace ? [] : ["device"]), "fifo", "link"]),
  );
}

function depth(name: DriverName, test: Test): void {
  const deepest = 2047;
  const levels = (n: number) => Array.from({ length: n }, () => "d").join("/");
  const deepDir = (n: number) => archive(longName(levels(n)), dir("d"));
  for (const n of [1200, deepest]) {
    test(`${n} directories one in the other are copied, counted, deleted and removed`, async () => {
      await using bench = workbench(name);
      const chain = await bench.apply([deepDir(n), archive(dir("two"))]);
      expect(readdirSync(await bench.view(chain)).sort()).toEqual(["d", "two"]);
      const [, , deleted] = await bench.apply([archive(file(".wh.d", ""))], chain);
      expect(readdirSync(await bench.view([...chain, deleted!]))).toEqual(["two"]);
      // A mounted layer, so that the directory is overlay's and not its own to move: the opaque root wants it.
      const [, , , replaced] = await bench.apply(
        [archive(file(".wh..wh..opq", ""), file("d", "now"))],
        [...chain, deleted!],
      );
      expect(names(await bench.view([...chain, deleted!, replaced!]))).toEqual(["d=now"]);
      const [, , again] = await bench.apply([archive(file(".wh..wh..opq", ""), file("d", "now"))], chain);
      expect(names(await bench.view([...chain, again!]))).toEqual(["d=now"]);
      for (const each of [...chain, deleted!, replaced!, again!]) await bench.driver.removeCommitted(each);
      expect(bench.leftovers()).toEqual([]);
    });
  }
}
