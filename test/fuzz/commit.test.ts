/**
 * Trees by chance, changed by chance: the layer that is made of the changes makes, on top of the same image, the same tree
 * again, by either driver. RT_FUZZ_SECONDS (10), from RT_FUZZ_SEED (1) on; a failure tells its seed.
 */
import { expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type DriverName, driverNames, type Workbench, workbench } from "../contract/bench.ts";
import { tarLayer } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { describeTree, linkedNames, treeDifference, treeNeeds } from "../support/tree.ts";

const seconds = Number(process.env.RT_FUZZ_SECONDS || 10);
const firstSeed = Number(process.env.RT_FUZZ_SEED || 1);
const { test } = needs({ ...treeNeeds, tools: [...treeNeeds.tools, "tar", "mount"] });

/** Deterministic, so that a failure can be repeated: xorshift32. */
function generator(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const names = ["a", "b", "c", "d", "wh", ".hidden", "grüße", "n".repeat(120), "l".repeat(255), "new\nline"];
const sizes = [0, 1, 511, 512, 513, 10_000];

/** One of its directories, by chance; "" is itself. */
function someDirectory(root: string, random: (below: number) => number): string {
  let path = root;
  for (;;) {
    const below = readdirSync(path).filter((name) => lstatSync(join(path, name)).isDirectory());
    if (below.length === 0 || random(3) === 0) return path;
    path = join(path, below[random(below.length)]!);
  }
}

/** Something is made, changed, moved or removed. */
function step(root: string, random: (below: number) => number): void {
  const path = join(someDirectory(root, random), names[random(names.length)]!);
  const found = lstatSync(path, { throwIfNoEntry: false });
  const other = join(someDirectory(root, random), names[random(names.length)]!);
  const action = random(11);
  if (found && action < 3) rmSync(path, { recursive: true });
  else if (action < 5) {
    if (!found) mkdirSync(path);
  } else if (action < 7) {
    if (!found || found.isFile()) writeFileSync(path, `${random(1000)}`.repeat(sizes[random(sizes.length)]!));
  } else if (!found) {
    if (random(2) === 0) symlinkSync("t".repeat(1 + random(200)), path);
    else if (lstatSync(other, { throwIfNoEntry: false })?.isFile()) linkSync(other, path);
  } else if (action === 7) {
    // Of directories an overlay moves only those that are not the image's.
    if (!found.isDirectory() && !existsSync(other)) renameSync(path, other);
  } else if (found.isSymbolicLink()) lutimesSync(path, 1, random(1e9) + 0.25);
  else if (action === 8) chmodSync(path, random(0o10000));
  else if (action === 9) chownSync(path, random(70_000), random(70_000));
  else if (found.isFile()) truncateSync(path, random(200_000));
  else lutimesSync(path, 1, random(1e9) + 0.5);
}

async function commitOf(bench: Workbench, chain: Parameters<Workbench["view"]>[0]): Promise<Uint8Array> {
  const path = join(bench.dir, "layer.tar");
  const fd = openSync(path, "w+");
  try {
    expect(await bench.driver.commit("k", chain, [], fd)).toMatchObject({ leftOut: 0 });
    return new Uint8Array(readFileSync(path));
  } finally {
    closeSync(fd);
  }
}

/** But for the root's time, which is that of the container's making. */
async function described(tree: string): Promise<Map<string, string>> {
  const lines = linkedNames(await describeTree(tree));
  return lines.set("/", lines.get("/")!.replace(/ mtime=\d+/, ""));
}

async function round(seed: number, name: DriverName, other: DriverName): Promise<string[]> {
  const random = generator(seed);
  await using bench = workbench(name);
  const image = bench.directory();
  for (let left = 60; left > 0; left--) step(image, random);
  const layers = [await tarLayer(image)];
  const chain = await bench.apply(layers);
  const tree = await bench.view(chain, "k");
  for (let left = 40; left > 0; left--) step(tree, random);
  const layer = await commitOf(bench, chain);
  await using again = workbench(other);
  const made = await again.view(await again.apply([layer], await again.apply(layers)));
  return treeDifference(await described(tree), await described(made));
}

test(
  "what a container changed, made into a layer and unpacked again",
  async () => {
    const end = performance.now() + seconds * 1000;
    const pairs = driverNames.flatMap((name) => driverNames.map((other) => [name, other] as const));
    for (let seed = firstSeed; seed === firstSeed || performance.now() < end; seed++) {
      const [name, other] = pairs[seed % pairs.length]!;
      expect([seed, name, other, await round(seed, name, other)]).toEqual([seed, name, other, []]);
    }
  },
  60_000 + 3000 * seconds,
);
