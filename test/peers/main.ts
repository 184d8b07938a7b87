/**
 * RT_BENCH_PEERS=TREE bun test/peers/main.ts [--only TEXT] [--image TEXT]
 *
 * Images both ways with the current docker, podman, skopeo and containerd, which Debian's stable release does not have:
 * called by hand, as root, with a tree of peers as for `bun run bench` (test/bench/world.ts). Prints a table: image by
 * image, what went each way. "same" is the same image id (or manifest digest, where the way keeps it) at the other end, and
 * the same output of a program in it. The exit status is 1 when anything else came out.
 */
import { parseArgs } from "node:util";
import { makeWorld } from "../bench/world.ts";
import { peerImages } from "./images.ts";
import { openPlace, type Place } from "./place.ts";
import { ways } from "./ways.ts";

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({ options: { only: text, image: text } });
if (!process.env.RT_BENCH_PEERS) throw new Error("RT_BENCH_PEERS names no tree of docker and podman");
process.exit((await all(values.only, values.image)) > 0 ? 1 : 0);

async function all(only: string, image: string): Promise<number> {
  await using world = await makeWorld();
  await using place = await openPlace(world);
  const failures: string[] = [];
  const chosen = ways.filter(({ name }) => name.includes(only));
  const images = await peerImages(place, image);
  failures.push(...images.failures);
  console.log(`| image | ${chosen.map(({ name }) => name).join(" | ")} |`);
  console.log(`|---|${chosen.map(() => "---|").join("")}`);
  for (const image of images.made) {
    const cells: string[] = [];
    for (const way of chosen) {
      if (image.without?.[way.name]) {
        cells.push(image.without[way.name]!);
        continue;
      }
      const wrong = await told(() => way.go(place, image));
      cells.push(wrong === undefined ? "same" : "WRONG");
      if (wrong !== undefined) failures.push(`${image.name}, ${way.name}: ${wrong}`);
      await clean(place);
    }
    console.log(`| ${image.name} | ${cells.join(" | ")} |`);
  }
  for (const failure of failures) console.log(`\n${failure}`);
  return failures.length;
}

async function told(go: () => Promise<void>): Promise<string | undefined> {
  try {
    await go();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** So that the next way does carry something. */
async function clean({ docker, podman, files }: Place): Promise<void> {
  for (const { shell, command } of [docker, podman])
    await shell.time(`${command} image prune --all --force; ${command} rmi --force $(${command} images -q)`);
  await docker.shell.ok(`rm -rf ${docker.shell.inside(files)}/*`);
}
