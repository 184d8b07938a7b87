/**
 * kill -9 right before every call that changes anything, of what brings images out and in again: push, save, load, image cp, and
 * what makes a layer for them again (support/crash-at.ts). After each the store is as it was written, what was there at the
 * other end is whole or not there, and the same command once more succeeds and leaves nothing half done.
 *
 * RT_CRASH_POINTS: so many of each role, evenly spaced, or "all"; RT_CRASH_ONLY: names of scenarios, between commas.
 */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { contentOf, fileLayer, imageOf, snapshotsOf } from "../cli/image-world.ts";
import { FakeRegistry } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { digestOf } from "../support/layout.ts";
import { cannotTrace, needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";

const { test } = needs({ root: true, also: cannotTrace });

const perRole = process.env.RT_CRASH_POINTS === "all" ? Infinity : Number(process.env.RT_CRASH_POINTS || 4);
const only = process.env.RT_CRASH_ONLY?.split(",");
const tracer = join(import.meta.dir, "../support/crash-at.ts");
const sound = "all is as it was written\n";
const image = imageOf([fileLayer("one", 300_000), fileLayer("two", 700_000)]);

interface World {
  host: TestHost;
  /** Of the image, in a registry. */
  name: string;
  /** Where it may go; empty each time. */
  registry: FakeRegistry;
  /** Where files go; empty each time. */
  out: string;
}

interface Scenario {
  name: string;
  roles: readonly ("client" | "layer")[];
  /** `prepare` has damaged the store, and the command mends it. */
  isDamaged?: true;
  prepare?: (world: World) => Promise<unknown>;
  command: (world: World) => readonly string[];
  /** What is at the other end is whole; where the command `done` it is there. */
  check: (world: World, done: boolean) => Promise<unknown> | unknown;
}

const pulled = ({ host, name }: World) => host.ok(["pull", "-q", name]);

/** An image of rt's own, whose layer somebody has taken away: it is made again of what is unpacked. */
const lost = async ({ host, name }: World) => {
  writeFileSync(join(host.dir, "file"), crypto.getRandomValues(Buffer.alloc(50_000)));
  await host.ok(["pull", "-q", name]);
  await host.ok(["create", "--name", "maker", name]);
  await host.ok(["cp", join(host.dir, "file"), "maker:/"]);
  await host.ok(["commit", "maker", "made:1"]);
  await host.ok(["rm", "maker"]);
  const [{ RootFS }] = JSON.parse(await host.ok(["inspect", "made:1"]));
  rmSync(join(host.root, "content/blobs/sha256", RootFS.Layers.at(-1).slice(7)));
};

/** A file to be loaded, of an image that is not here. */
const saved = (suffix: string) => async (world: World) => {
  const file = join(world.host.dir, `in.tar${suffix}`);
  if (!existsSync(file)) {
    await pulled(world);
    await world.host.ok(["save", "-o", join(world.host.dir, "in.tar"), world.name]);
    if (suffix !== "") writeFileSync(file, Bun.gzipSync(readFileSync(join(world.host.dir, "in.tar"))));
  }
  await world.host.ok(["image", "prune", "-af"]);
};

const isLoaded = async ({ host, name }: World, done: boolean) => {
  const { code } = await host.rt(["inspect", "--type", "image", name]);
  if (done) expect(code).toBe(0);
};

const isArchive = async ({ host, out }: World, done: boolean) => {
  const file = join(out, "out.tar");
  if (done || existsSync(file))
    await host.ok(["image", "cp", "-q", `oci-archive:${file}`, `oci:${out}/copied`]);
};

const isLayout = async ({ host, out }: World, done: boolean) => {
  const layout = join(out, "layout");
  const there = existsSync(join(layout, "blobs/sha256")) ? readdirSync(join(layout, "blobs/sha256")) : [];
  for (const hex of there.filter((each) => !each.endsWith(".part")))
    expect(digestOf(readFileSync(join(layout, "blobs/sha256", hex)))).toBe(`sha256:${hex}`);
  if (done || existsSync(join(layout, "index.json")))
    await host.ok(["image", "cp", "-q", `oci:${layout}:1`, `oci:${out}/copied:1`]);
};

const isInRegistry = ({ registry }: World, done: boolean) => {
  const manifest = registry.manifest("team/out", "1");
  if (done) expect(manifest).toBeDefined();
  if (!manifest) return;
  const { config, layers } = JSON.parse(new TextDecoder().decode(manifest.bytes));
  for (const { digest } of [config, ...layers]) expect(digestOf(registry.blob(digest))).toBe(digest);
};

const scenarios: Scenario[] = [
  {
    name: "push to a registry",
    roles: ["client"],
    prepare: pulled,
    command: ({ name, registry }) => ["push", name, `${registry.host}/team/out:1`],
    check: isInRegistry,
  },
  {
    name: "push to a registry of a layer that is made again",
    roles: ["client", "layer"],
    prepare: lost,
    isDamaged: true,
    command: ({ registry }) => ["push", "made:1", `${registry.host}/team/out:1`],
    check: isInRegistry,
  },
  {
    name: "push to oci:",
    roles: ["client"],
    prepare: pulled,
    command: ({ name, out }) => ["push", name, `oci:${out}/layout:1`],
    check: isLayout,
  },
  {
    name: "push to oci-archive:",
    roles: ["client"],
    prepare: pulled,
    command: ({ name, out }) => ["push", name, `oci-archive:${out}/out.tar:1`],
    check: isArchive,
  },
  {
    name: "save",
    roles: ["client"],
    prepare: pulled,
    command: ({ name, out }) => ["save", "-o", join(out, "out.tar"), name],
    check: isArchive,
  },
  {
    name: "save of a layer that is made again",
    roles: ["client", "layer"],
    prepare: lost,
    isDamaged: true,
    command: ({ out }) => ["save", "-o", join(out, "out.tar"), "made:1"],
    check: isArchive,
  },
  {
    name: "load",
    roles: ["client", "layer"],
    prepare: saved(""),
    command: ({ host }) => ["load", "-i", join(host.dir, "in.tar")],
    check: isLoaded,
  },
  {
    name: "load of what is compressed",
    roles: ["client", "layer"],
    prepare: saved(".gz"),
    command: ({ host }) => ["load", "-i", join(host.dir, "in.tar.gz")],
    check: isLoaded,
  },
  {
    name: "image cp from a registry to oci:",
    roles: ["client"],
    command: ({ name, out }) => ["image", "cp", name, `oci:${out}/layout:1`],
    check: isLayout,
  },
  {
    name: "image cp from registry to registry",
    roles: ["client"],
    command: ({ name, registry }) => ["image", "cp", name, `${registry.host}/team/out:1`],
    check: isInRegistry,
  },
];

for (const scenario of scenarios) {
  if (only && !only.includes(scenario.name)) continue;
  test(
    `kill -9 at each step of ${scenario.name}`,
    async () => {
      await using host = await testHost();
      await using source = await FakeRegistry.start();
      const name = source.push("team/app", "1", image);
      const counted = await killedAt(host, name, scenario, "-", 0);
      for (const role of scenario.roles) {
        const count = counted.get(role) ?? 0;
        expect([role, count]).not.toEqual([role, 0]);
        for (const index of spaced(count)) {
          try {
            await killedAt(host, name, scenario, role, index);
          } catch (error) {
            const trace = readFileSync(join(host.dir, "trace"), "utf8");
            const line = trace.split("\n").find((each) => each.startsWith(`${role} ${index} `));
            throw new Error(`${line}: ${(error as Error).stack}`);
          }
        }
      }
    },
    perRole === Infinity ? 3_600_000 : 120_000,
  );
}

/** Of 1 … count; with what comes last, which is the acknowledgement. */
function spaced(count: number): number[] {
  const wanted = Math.min(count, perRole);
  return Array.from({ length: wanted }, (_, index) => Math.ceil(((index + 1) * count) / wanted));
}

/** @returns how many calls there are of each role */
async function killedAt(
  host: TestHost,
  name: string,
  scenario: Scenario,
  role: string,
  index: number,
): Promise<Map<string, number>> {
  await using registry = await FakeRegistry.start();
  const out = join(host.dir, "out");
  mkdirSync(out);
  const world: World = { host, name, registry, out };
  await scenario.prepare?.(world);
  const trace = join(host.dir, "trace");
  const child = Bun.spawn(
    [process.execPath, tracer, trace, "client", role, `${index}`, rtBinary, ...scenario.command(world)],
    { env: host.env, stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const [stderr, code] = [await child.stderr.text(), await child.exited];
  expect(stderr).toMatch(/^(rt: [^\n]*\n)*$/);
  if (role === "-") expect([code, stderr]).toEqual([0, ""]);
  const calls = new Map<string, number>();
  for (const [, name, number] of readFileSync(trace, "utf8").matchAll(/^(\w+) (\d+) /gm))
    calls.set(name!, Number(number));
  if (!scenario.isDamaged) expect(await host.ok(["system", "check"])).toBe(sound);
  await scenario.check(world, code === 0);
  await host.ok(scenario.command(world));
  await scenario.check(world, true);
  expect(await host.ok(["system", "check"])).toBe(sound);
  expect(halfDone(world)).toEqual([]);
  await host.ok(["image", "prune", "-af"]);
  rmSync(out, { recursive: true });
  return calls;
}

function halfDone({ host, out }: World): string[] {
  const uploads = ["uploads", "content/uploads"].map((name) => join(host.root, name));
  return [
    ...contentOf(host).filter((path) => path.startsWith("ingest/")),
    ...uploads.flatMap((path) => (existsSync(path) ? readdirSync(path) : [])),
    ...snapshotsOf(host).filter((path) => /\/(tmp|active)\//.test(path)),
    ...readdirSync(out, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".part")),
  ];
}
