/** How layers add up: what the contract of snapshot drivers says of images (OCI image-spec, layer.md). */
import { expect } from "bun:test";
import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasOneId, inUserNamespace, ownerOf } from "../support/ordinary.ts";
import { archive, type Member, member, paxRecords } from "../support/tar.ts";
import { type DriverName, workbench } from "./bench.ts";

export type Test = (what: string, body: () => Promise<unknown>) => void;

export const dir = (name: string, more: Partial<Member> = {}): Member => ({
  name,
  type: "5",
  mode: 0o755,
  ...more,
});
export const file = (name: string, content = name, more: Partial<Member> = {}): Member => ({
  name,
  content,
  ...more,
});

export type ImageTest = (what: string, layers: readonly Uint8Array[], check: (tree: string) => void) => void;

const largeId = inUserNamespace ? 65_536 : 3_000_000_000;

export function imageTest(name: DriverName, test: Test): ImageTest {
  return (what, layers, check) =>
    test(what, async () => {
      await using bench = workbench(name);
      check(await bench.view(await bench.apply(layers)));
      await using together = workbench(name);
      check(await together.view(await together.applyTogether(layers)));
    });
}

/** One image of some layers, applied one by one and all at once: the names in it, with their contents. */
export function layering(name: DriverName, test: Test): void {
  const image = imageTest(name, test);
  image(
    "whiteouts delete what is below",
    [
      archive(dir("d"), file("d/a"), file("d/b"), dir("e"), file("e/x"), file("c")),
      archive(dir("d"), file("d/.wh.a", ""), file(".wh.e", ""), file(".wh.none", "")),
    ],
    (tree) => expect(names(tree)).toEqual(["c=c", "d", "d/b=d/b"]),
  );
  image(
    "a whiteout spares what its own layer brings, before or after it",
    [
      archive(dir("d"), file("d/old"), file("f", "old"), file("g", "old")),
      archive(
        file(".wh.f", ""),
        file("f", "new"),
        file("g", "new"),
        file(".wh.g", ""),
        dir("d"),
        file("d/new"),
        file(".wh.d", ""),
      ),
    ],
    (tree) => expect(names(tree)).toEqual(["d", "d/new=d/new", "f=new", "g=new"]),
  );
  for (const [when, order] of [
    ["first", 0],
    ["last", 1],
  ] as const) {
    const parts = [file("d/.wh..wh..opq", ""), file("d/new")];
    image(
      `an opaque mark that comes ${when} hides all below, and nothing of its own layer`,
      [
        archive(dir("d"), file("d/old"), dir("d/sub"), file("d/sub/old")),
        archive(dir("d"), ...(order ? parts.reverse() : parts)),
      ],
      (tree) => expect(names(tree)).toEqual(["d", "d/new=d/new"]),
    );
  }
  image(
    "a deleted directory that comes back is empty, three layers up too",
    [
      archive(dir("d"), file("d/old")),
      archive(file(".wh.d", "")),
      archive(dir("d"), file("d/new")),
      archive(file("d/newer")),
    ],
    (tree) => expect(names(tree)).toEqual(["d", "d/new=d/new", "d/newer=d/newer"]),
  );
  image(
    "deleted and made anew in one layer: what was below does not come back",
    [
      archive(dir("d"), file("d/old"), dir("e"), file("e/old")),
      archive(file(".wh.d", ""), dir("d"), file("d/new"), file(".wh.e", ""), file("e/new")),
    ],
    (tree) => expect(names(tree)).toEqual(["d", "d/new=d/new", "e", "e/new=e/new"]),
  );
  image(
    "a whiteout of what no layer has leaves no name behind",
    [
      archive(file("a"), dir("d"), file(".wh.x", "")),
      archive(dir("new"), file("new/.wh.gone", ""), file("new/f"), dir("d/sub"), file("d/sub/.wh.gone", "")),
    ],
    (tree) => expect(names(tree)).toEqual(["a=a", "d", "d/sub", "new", "new/f=new/f"]),
  );
  image(
    "an opaque root hides all layers below",
    [archive(file("old"), dir("d"), file("d/old")), archive(file(".wh..wh..opq", ""), file("new"))],
    (tree) => expect(names(tree)).toEqual(["new=new"]),
  );
  image(
    "files, directories and links replace one another",
    [
      archive(file("f"), dir("d"), file("d/x"), { name: "l", type: "2", link: "d" }),
      archive(dir("f"), file("f/y"), file("d", "now"), dir("l"), file("l/z")),
    ],
    (tree) => expect(names(tree)).toEqual(["d=now", "f", "f/y=f/y", "l", "l/z=l/z"]),
  );
  image(
    "directories that a layer only implies are those below, with links followed inside the root",
    [
      archive(
        dir("var", { mode: 0o711, uid: 3, mtime: 1000 }),
        dir("run", { mode: 0o700, gid: 4 }),
        { name: "var/run", type: "2", link: "/run" },
        { name: "up", type: "2", link: "../../../run" },
      ),
      archive(file("var/run/pid"), file("var/log"), file("up/also")),
    ],
    (tree) => {
      expect(names(tree)).toEqual([
        "run",
        "run/also=up/also",
        "run/pid=var/run/pid",
        "up",
        "var",
        "var/log=var/log",
        "var/run",
      ]);
      const [run, var_] = [ownerOf(join(tree, "run")), ownerOf(join(tree, "var"))];
      expect([var_.mode, var_.uid, run.mode, run.gid]).toEqual([0o711, 3, 0o700, 4]);
    },
  );
  image(
    "a hard link into a lower layer is one",
    [archive(dir("bin"), file("bin/tool")), archive({ name: "alias", type: "1", link: "bin/tool" })],
    (tree) => {
      expect(readFileSync(join(tree, "alias"), "utf8")).toBe("bin/tool");
      expect(statSync(join(tree, "alias")).ino).toBe(statSync(join(tree, "bin/tool")).ino);
    },
  );
  image(
    "a hard link to what the layer itself brings, beside a whiteout",
    [archive(file("a")), archive(file("b", "b"), { name: "c", type: "1", link: "b" }, file(".wh.a", ""))],
    (tree) => expect(names(tree)).toEqual(["b=b", "c=b"]),
  );
  image(
    "the root has the mode and owner of the topmost layer that lists it",
    [archive(dir("./", { mode: 0o711, uid: 5 }), file("a")), archive(file("b"))],
    (tree) => {
      const { mode, uid } = statSync(tree);
      // With one id the note about it is the image's, and overlay's top has none.
      expect([mode & 0o7777, uid]).toEqual([0o711, hasOneId ? 0 : 5]);
    },
  );
  image(
    "the last entry of a name counts",
    [
      archive(
        file("f", "one"),
        dir("d"),
        file("d/x"),
        file("f", "two"),
        file("d", "file"),
        { name: "f2", type: "2", link: "f" },
        file("f2", "three"),
      ),
    ],
    (tree) => expect(names(tree)).toEqual(["d=file", "f=two", "f2=three"]),
  );
  image(
    "times, attributes and long names of pax headers",
    [
      archive(
        paxRecords({ path: "n".repeat(200), mtime: "1.25", "SCHILY.xattr.user.k": "v", uid: `${largeId}` }),
        member({ name: "x" }),
        dir("d", { mtime: 77 }),
        file("d/f"),
      ),
    ],
    (tree) => {
      const { mtimeMs } = statSync(join(tree, "n".repeat(200)));
      const { uid } = ownerOf(join(tree, "n".repeat(200)));
      expect([mtimeMs, uid, statSync(join(tree, "d")).mtimeMs]).toEqual([1250, largeId, 77000]);
    },
  );
}

/** All names below `tree`, files with their contents. Links are not followed: they may lead to the host. */
export function names(tree: string, below = ""): string[] {
  return readdirSync(join(tree, below))
    .sort()
    .flatMap((name) => {
      const path = join(below, name);
      const meta = lstatSync(join(tree, path));
      if (meta.isDirectory()) return [path, ...names(tree, path)];
      return [meta.isFile() ? `${path}=${readFileSync(join(tree, path))}` : path];
    });
}
