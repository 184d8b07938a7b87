/** Pull of a multi-layer image, gzip, from a registry on loopback into an empty store on a fresh ext4, every time. */
import { freshDisk } from "./disk.ts";
import type { Engine, ImageCommands } from "./engine.ts";
import { type Contender, interleave, type Rounds, type Row } from "./measure.ts";
import type { DebianImage, World } from "./world.ts";

export async function pullRow(world: World, rounds: number): Promise<Row> {
  const image = await world.debian();
  const notes = new Map<string, string>();
  const contenders = world.engines.flatMap((engine) =>
    engine.images ? [contender(world, engine, engine.images, image, notes)] : [],
  );
  const options: Rounds = { rounds, warmUp: 0 };
  return {
    name: "pull",
    title: "`pull` of the Debian image, four layers, gzip, into an empty store on a fresh ext4",
    unit: "ms",
    samples: await interleave(contenders, options),
    targets: { podman: 0.5, docker: 0.5 },
    notes: [...notes.values()],
  };
}

function contender(
  world: World,
  engine: Engine,
  images: ImageCommands,
  image: DebianImage,
  notes: Map<string, string>,
): Contender {
  let stack = new AsyncDisposableStack();
  let usage = async () => ({ inodes: 0, bytes: 0 });
  return {
    engine: engine.name,
    // The line is asked for when the engine is open: a new store is a new place.
    get command() {
      return images.pull(image.reference);
    },
    shell: engine.shell,
    async before() {
      stack = new AsyncDisposableStack();
      const disk = stack.use(await freshDisk(engine.shell, world.scratch, `${engine.name}-pull`));
      await engine.open(disk.dir);
      stack.defer(() => engine.close());
      const empty = await disk.usage();
      usage = async () => {
        const now = await disk.usage();
        return { inodes: now.inodes - empty.inodes, bytes: now.bytes - empty.bytes };
      };
    },
    async check() {
      const { inodes, bytes } = await usage();
      notes.set(engine.name, `${engine.name}: ${inodes} inodes, ${(bytes / 1e6).toFixed(0)} MB in its store`);
      const ids = (await engine.shell.ok(images.ids())).split("\n");
      const wanted = image.id.replace("sha256:", "");
      if (ids.length === 1 && ids[0]!.replace("sha256:", "") === wanted) return undefined;
      return `the image is ${ids.join(" ")}, not ${image.id}`;
    },
    after: () => stack.disposeAsync(),
  };
}
