import { afterEach, expect } from "bun:test";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { copyTree, removeTree, treeUsage } from "../../../src/layer/tree.ts";
import { run } from "../../support/command.ts";
import { peakOf } from "../../support/memory.ts";
import { needs } from "../../support/root.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { describeTree } from "../../support/tree.ts";

const gated = needs({ root: true, tools: ["setfattr"] });
const helper = resolve(import.meta.dir, `../../../.build/linux-${process.arch}/rt-layer`);
const dirs: string[] = [];

function directory(): string {
  const dir = mkdtempSync(join(scratchDirectory(), "rt-tree-"));
  dirs.push(dir);
  return dir;
}

afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

gated.test("a copy is the same, entry by entry, holes included", async () => {
  const [from, to] = [directory(), directory()];
  const script = `
    mkdir -p d/e; echo one > d/one; ln d/one two; ln d/one d/e/three; ln -s /nowhere d/link; chown -h 5:6 d/link
    mknod d/null c 1 3; mkfifo d/fifo; chmod 0 d/fifo; cp /bin/true setuid; chown 7:8 setuid; chmod 6711 setuid
    truncate -s 64M sparse; printf x | dd of=sparse bs=1M seek=40 conv=notrunc status=none
    head -c 300000 /dev/urandom > large; setfattr -n user.k -v v large; setfattr -n user.k -v d d
    touch -d '1999-01-01 00:00:00.123456789Z' large d/e d; chmod 1770 .; chown 9:10 .`;
  await run(["sh", "-euc", script], { cwd: from });
  await copyTree(from, to);
  expect(await describeTree(to)).toEqual(await describeTree(from));
  expect(statSync(join(to, "sparse")).blocks).toBe(statSync(join(from, "sparse")).blocks);
});

gated.test(
  "many files of two names, deep down, take little memory",
  async () => {
    const [from, to] = [directory(), directory()];
    const deep = join(from, ...Array.from({ length: 15 }, () => "n".repeat(240)));
    mkdirSync(deep, { recursive: true });
    const count = 20_000;
    for (let index = 0; index < count; index++) {
      writeFileSync(join(deep, `${index}`), "");
      linkSync(join(deep, `${index}`), join(deep, `h${index}`));
    }
    const copy = Bun.spawn([helper, "copy", `from=${from}`, `to=${to}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const peak_KiB = await peakOf(copy);
    expect(JSON.parse(await copy.stdout.text())).toEqual({ ok: true });
    // A whole path for each would be 74 MB.
    expect(peak_KiB).toBeLessThan(24 * 1024);
    expect(peak_KiB).toBeGreaterThan(0);
    const copied = deep.replace(from, to);
    expect(statSync(join(copied, "7")).ino).toBe(statSync(join(copied, "h7")).ino);
    expect(readdirSync(copied)).toHaveLength(2 * count);
  },
  240_000,
);

gated.test("usage counts a file with two names once, and follows no links", async () => {
  const tree = directory();
  mkdirSync(join(tree, "d"));
  writeFileSync(join(tree, "a"), Buffer.alloc(100_000, 1));
  linkSync(join(tree, "a"), join(tree, "d/b"));
  symlinkSync("/", join(tree, "root"));
  const { bytes, inodes } = await treeUsage(tree);
  expect(inodes).toBe(3);
  expect(bytes).toBeGreaterThanOrEqual(100_000);
  expect(bytes).toBeLessThan(200_000);
});

gated.test("removal copes with depth, and with links to elsewhere", async () => {
  const parent = directory();
  const outside = directory();
  writeFileSync(join(outside, "stays"), "");
  // Four times 1,000 levels, one below the other: more than any path can say.
  const levels = "d/".repeat(1000);
  symlinkSync(outside, join(parent, "doomed"));
  for (let part = 0; part < 4; part++) {
    const below = join(parent, "doomed");
    mkdirSync(join(parent, `part${part}`, levels), { recursive: true });
    renameSync(below, join(parent, `part${part}`, levels, "below"));
    renameSync(join(parent, `part${part}`), below);
  }
  await removeTree(join(parent, "doomed"));
  await removeTree(join(parent, "doomed"));
  expect(readdirSync(parent)).toEqual([]);
  expect(readdirSync(outside)).toEqual(["stays"]);
});

gated.test("while a large tree is removed, this process goes on", async () => {
  const parent = directory();
  for (let index = 0; index < 3000; index++) writeFileSync(join(parent, String(index)), "");
  let turns = 0;
  const clock = setInterval(() => turns++, 1);
  try {
    await removeTree(parent);
    expect(turns).toBeGreaterThan(0);
  } finally {
    clearInterval(clock);
  }
  expect(existsSync(parent)).toBe(false);
});
