/**
 * Images on their way out, and in again from a file: push to a registry that has nothing, and to one that lacks one layer;
 * save and load; from one registry to another. Peers that keep no blobs pack their layers again: the image id is what is
 * checked at the other end, and that each blob is there.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { run } from "../support/command.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { benchDebianLayout, type Manifest } from "./debian-image.ts";
import { freshDisk } from "./disk.ts";
import type { Engine, ImageCommands } from "./engine.ts";
import {
  type Contender,
  interleave,
  percentile,
  prints,
  type Rounds,
  type Row,
  type Sample,
} from "./measure.ts";
import type { Shell } from "./shell.ts";
import { type DebianImage, locate, type World } from "./world.ts";

/** What a second push may cost beyond the start of the program. */
const secondPushMs = 50;

interface Holder {
  engine: Engine;
  images: ImageCommands;
}

interface Images {
  first: DebianImage;
  changed: DebianImage;
}

export async function outRows(world: World, rounds: Rounds): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const images = { first: await world.debian(), changed: await world.debian("changed") };
  const { holders, failed } = await openHolders(world, images, stack);
  const skopeo = await skopeoOf(world);
  const row = async (contenders: Contender[]) => [...failed, ...(await interleave(contenders, rounds))];
  const push = holders.map((holder) => pushOf(holder, images.first));
  const again = holders.map((holder) => pushOf(holder, images.changed, images.first));
  const copy: Contender[] = [rtCopy(world, images.first)];
  if (skopeo) {
    push.push(skopeo.push("gzip", images.first));
    again.push(skopeo.push("changed", images.changed, "gzip"));
    copy.push(skopeo.copy(images.first));
  }
  again.push(versionOf(world));
  const all = { docker: 1, podman: 1, skopeo: 1 };
  const pushed = await row(push);
  const pushedAgain = await row(again);
  const saved = await row(holders.map((holder) => saveOf(world, holder, images.first)));
  return [
    {
      name: "push",
      title: "`push` of the Debian image, four layers, to a docker-registry that has nothing",
      unit: "ms",
      samples: pushed,
      targets: all,
      notes: [],
    },
    {
      name: "push again",
      title: "the same with one layer changed, where the other three are there",
      unit: "ms",
      samples: pushedAgain,
      targets: all,
      limit: median(pushedAgain, "rt --version") + secondPushMs,
      notes: [],
    },
    {
      name: "save",
      title: "`save` of the Debian image to a file on a tmpfs",
      unit: "ms",
      samples: saved,
      targets: { docker: 1 / 4, podman: 1 },
      notes: [],
    },
    {
      name: "copy",
      title: "`rt image cp` and `skopeo copy` of the Debian image to a docker-registry that has nothing",
      unit: "ms",
      samples: await interleave(copy, rounds),
      targets: { skopeo: 1 },
      notes: [],
    },
  ];
}

/** Each into an empty store on a fresh ext4, every time. */
export async function loadRow(world: World, rounds: number): Promise<Row> {
  const image = await world.debian();
  const file = join(world.scratch, "to-load.tar");
  const savedBy = await saveToLoad(world, image, file);
  const contenders = holdersOf(world).map((holder) => loadOf(world, holder, image, file));
  return {
    name: "load",
    title: `\`load\` of the Debian image, as ${savedBy} saved it, into an empty store on a fresh ext4`,
    unit: "ms",
    samples: await interleave(contenders, { rounds, warmUp: 0 }),
    targets: { docker: 1 / 3, podman: 1 },
    notes: [],
  };
}

function holdersOf(world: World): Holder[] {
  return world.engines.flatMap((engine) => (engine.images ? [{ engine, images: engine.images }] : []));
}

/** Every engine that has images, with both of them in its store, until the stack goes. */
async function openHolders(world: World, { first, changed }: Images, stack: AsyncDisposableStack) {
  const holders: Holder[] = [];
  const failed: Sample[] = [];
  for (const holder of holdersOf(world)) {
    const { engine, images } = holder;
    const disk = stack.use(await freshDisk(engine.shell, world.scratch, `${engine.name}-out`));
    try {
      await engine.open(disk.dir);
      stack.defer(() => engine.close());
      for (const { reference } of [first, changed]) await engine.shell.ok(images.pull(reference));
      holders.push(holder);
    } catch (error) {
      failed.push({ engine: engine.name, values: [], failures: [(error as Error).message] });
    }
  }
  return { holders, failed };
}

/** To a registry of each round's own; `before` is what it has already. */
function pushOf({ engine, images }: Holder, image: DebianImage, before?: DebianImage): Contender {
  const { shell } = engine;
  return toFreshRegistry(engine.name, shell, image.id, {
    command: (target) => images.push(target),
    async prepare(target) {
      if (before) {
        await shell.ok(images.tag(before.reference, target));
        await shell.ok(images.push(target));
      }
      await shell.ok(images.tag(image.reference, target));
    },
  });
}

interface ToRegistry {
  command: (target: string) => string;
  prepare?: (target: string) => Promise<void>;
}

function toFreshRegistry(
  engine: string,
  shell: Shell,
  id: string,
  { command, prepare }: ToRegistry,
): Contender {
  let registry: Registry | undefined;
  const target = () => `${registry?.address}/debian:pushed`;
  return {
    engine,
    shell,
    // The line is asked for when the registry is there.
    get command() {
      return command(target());
    },
    async before() {
      registry = await startRegistry();
      await prepare?.(target());
    },
    check: () => wrongAt(registry!, id),
    after: async () => await registry?.[Symbol.asyncDispose](),
  };
}

/** What of the image is not at the registry. */
async function wrongAt({ url }: Registry, id: string): Promise<string | undefined> {
  const headers = { Accept: `${mediaTypes.ociManifest}, ${mediaTypes.dockerManifest}` };
  const answer = await fetch(`${url}/v2/debian/manifests/pushed`, { headers });
  if (!answer.ok) return `the registry answers ${answer.status} for the manifest`;
  const manifest = (await answer.json()) as Manifest;
  if (manifest.config.digest !== id) return `the image there is ${manifest.config.digest}, not ${id}`;
  for (const { digest, size } of [manifest.config, ...manifest.layers]) {
    const head = await fetch(`${url}/v2/debian/blobs/${digest}`, { method: "HEAD" });
    if (!head.ok || Number(head.headers.get("content-length")) !== size) return `blob ${digest} is not there`;
  }
  return undefined;
}

function versionOf(world: World): Contender {
  const check = prints(`rt version ${world.rt.version}\n`);
  return { engine: "rt --version", command: `${world.binary} --version`, shell: world.host, check };
}

function rtCopy(world: World, { reference, id }: DebianImage): Contender {
  const command = (target: string) => `${world.binary} image cp ${reference} ${target}`;
  return toFreshRegistry("rt", world.host, id, { command });
}

/** skopeo has no store of its own: it pushes from an OCI layout. */
async function skopeoOf(world: World) {
  const found = await locate(world.shells.toReversed(), ["skopeo"]);
  if (!found) return undefined;
  const { shell, paths } = found;
  const layout = join(world.scratch, "debian-layout");
  cpSync(await benchDebianLayout(), layout, { recursive: true });
  const insecure = "--src-tls-verify=false --dest-tls-verify=false";
  const line = (from: string, target: string) =>
    `${paths[0]} --insecure-policy copy ${insecure} ${from} docker://${target}`;
  const from = (tag: string) => `oci:${shell.inside(layout)}:${tag}`;
  return {
    push: (tag: string, { id }: DebianImage, before?: string) =>
      toFreshRegistry("skopeo", shell, id, {
        command: (target) => line(from(tag), target),
        prepare: async (target) => void (before && (await shell.ok(line(from(before), target)))),
      }),
    copy: ({ reference, id }: DebianImage) =>
      toFreshRegistry("skopeo", shell, id, { command: (target) => line(`docker://${reference}`, target) }),
  };
}

function saveOf(world: World, { engine, images }: Holder, image: DebianImage): Contender {
  const file = join(world.scratch, `${engine.name}-saved.tar`);
  const { shell } = engine;
  return {
    engine: engine.name,
    shell,
    command: images.save(image.reference, shell.inside(file)),
    async check() {
      const said = await run(["tar", "-xOf", file, "manifest.json"]);
      return said.includes(image.id.replace("sha256:", "")) ? undefined : `saved was ${said}`;
    },
    after: async () => void (await shell.ok(`rm -f ${shell.inside(file)}`)),
  };
}

/** By docker where it is there, whose format it is. Answers who it was. */
async function saveToLoad(world: World, image: DebianImage, file: string): Promise<string> {
  const holders = holdersOf(world);
  const { engine, images } = holders.find(({ engine: { name } }) => name === "docker") ?? holders[0]!;
  await using stack = new AsyncDisposableStack();
  const disk = stack.use(await freshDisk(engine.shell, world.scratch, `${engine.name}-save`));
  await engine.open(disk.dir);
  stack.defer(() => engine.close());
  await engine.shell.ok(images.pull(image.reference));
  await engine.shell.ok(images.save(image.reference, engine.shell.inside(file)));
  return engine.name;
}

function loadOf(world: World, { engine, images }: Holder, image: DebianImage, file: string): Contender {
  let stack = new AsyncDisposableStack();
  const { shell } = engine;
  return {
    engine: engine.name,
    shell,
    // The line is asked for when the engine is open: a new store is a new place.
    get command() {
      return images.load(shell.inside(file));
    },
    async before() {
      stack = new AsyncDisposableStack();
      const disk = stack.use(await freshDisk(shell, world.scratch, `${engine.name}-load`));
      await engine.open(disk.dir);
      stack.defer(() => engine.close());
    },
    async check() {
      const ids = (await shell.ok(images.ids())).replaceAll("sha256:", "");
      return ids === image.id.replace("sha256:", "") ? undefined : `the image is ${ids}, not ${image.id}`;
    },
    after: () => stack.disposeAsync(),
  };
}

function median(samples: readonly Sample[], engine: string): number {
  return percentile(samples.find((sample) => sample.engine === engine)?.values ?? [], 0.5);
}
