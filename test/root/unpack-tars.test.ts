/**
 * One tree, written by every archiver that images come from, in each of its formats: what both drivers unpack is the tree, entry
 * by entry. RT_TEST_TREE is a directory to take instead, for large ones by hand.
 */
import { afterAll, describe, expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { driverNames, workbench } from "../contract/bench.ts";
import { run } from "../support/command.ts";
import { type Extent, oddTree } from "../support/odd-tree.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { describeTree, treeDifference } from "../support/tree.ts";

const gated = needs({
  root: true,
  tools: ["tar", "bsdtar", "busybox", "python3", "getfattr", "setfattr", "setcap"],
});
const given = process.env.RT_TEST_TREE;

interface Writer {
  extent: Extent;
  /** `$1` is the archive to make of what is in the working directory. */
  script: string;
  /** Of a line of `describeTree`: what the archiver does not write, or writes wrong. */
  loses?: RegExp;
}

const gnu = (...options: string[]) => `tar --numeric-owner ${options.join(" ")} -cf "$1" .`;
const bsd = (format: string) => `bsdtar --numeric-owner --format=${format} -cf "$1" .`;
const python = (format: string) =>
  `python3 -c 'import tarfile, sys; t = tarfile.open(sys.argv[1], "w", format=tarfile.${format}_FORMAT); t.add("."); t.close()' "$1"`;

const fraction = /(?<=mtime=-?\d+)\d{9}(?= |$)/;
const attributes = / (?:user|security|trusted|system)\.\S+=0x\S*| (?:user|security)\.\S+$/g;

const writers: Record<string, Writer> = {
  "GNU tar, ustar": { extent: "ustar", script: gnu("--format=ustar") },
  "GNU tar, gnu": { extent: "long", script: gnu("--format=gnu") },
  "GNU tar, gnu, sparse": { extent: "long", script: gnu("--format=gnu", "--sparse") },
  "GNU tar, pax": { extent: "all", script: gnu("--format=pax", "--xattrs", "--xattrs-include=*") },
  "GNU tar, pax, sparse": {
    extent: "all",
    script: gnu("--format=pax", "--sparse", "--xattrs", "--xattrs-include=*"),
  },
  "bsdtar, ustar": { extent: "ustar", script: bsd("ustar") },
  "bsdtar, gnutar": { extent: "long", script: bsd("gnutar") },
  // libarchive writes -0.25 s as "-1.75", which POSIX and all others read as that.
  "bsdtar, pax": { extent: "all", script: bsd("pax"), loses: / mtime=-\d+/ },
  "busybox tar": { extent: "long", script: 'busybox tar -cf "$1" .' },
  "Python, ustar": { extent: "ustar", script: python("USTAR") },
  "Python, gnu": { extent: "long", script: python("GNU") },
  "Python, pax": { extent: "all", script: python("PAX"), loses: attributes },
};

const dir = gated.met ? mkdtempSync(join(scratchDirectory(), "rt-tars-")) : "";
const trees = new Map<Extent, Promise<string>>();

afterAll(() => run(["rm", "-rf", ...(dir ? [dir] : [])]));

function treeOf(extent: Extent): Promise<string> {
  if (given) return Promise.resolve(given);
  let tree = trees.get(extent);
  if (!tree) {
    const path = join(dir, extent);
    tree = oddTree(path, extent).then(() => path);
    trees.set(extent, tree);
  }
  return tree;
}

async function described(tree: string, { extent, loses }: Writer): Promise<Map<string, string>> {
  const lines = await describeTree(tree);
  // A container's root is a new directory; sockets are in no archive.
  lines.delete("/");
  for (const [path, line] of lines) {
    if (line.startsWith("socket")) lines.delete(path);
    let kept = loses ? line.replace(loses, "") : line;
    // Other names of its files may be elsewhere.
    if (given) kept = kept.replace(/ links=\d+ of \/.*?(?= \w+\.|$)/, "");
    if (given && extent !== "all") kept = kept.replace(attributes, "").replace(fraction, "");
    lines.set(path, kept);
  }
  return lines;
}

describe("the same tree from", () => {
  for (const [name, writer] of Object.entries(writers)) {
    gated.test(
      name,
      async () => {
        const tree = await treeOf(writer.extent);
        const tar = join(dir, "archive.tar");
        await run(["sh", "-euc", writer.script, "sh", tar], { cwd: tree });
        const want = await described(tree, writer);
        expect(want.size).toBeGreaterThan(200);
        const bytes = readFileSync(tar);
        for (const driver of driverNames) {
          await using bench = workbench(driver);
          const got = await described(await bench.view(await bench.apply([bytes])), writer);
          expect(treeDifference(want, got)).toEqual([]);
        }
        rmSync(tar);
      },
      given ? 1_800_000 : 120_000,
    );
  }
});
