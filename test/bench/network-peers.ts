/** podman and docker with networks of their own, in a network namespace of theirs: the machine's stays as it is. */
import { resolve } from "node:path";
import { freshDisk } from "./disk.ts";
import { dockerEngine } from "./docker-engine.ts";
import type { Engine } from "./engine.ts";
import type { Contender, Sample } from "./measure.ts";
import { prints } from "./measure.ts";
import { podmanEngine } from "./podman-engine.ts";
import { Shell } from "./shell.ts";
import { locate, type World } from "./world.ts";

const image = "localhost/bench:latest";

export interface NetworkPeers {
  /** Two of each: "podman" in its default bridge, and "podman, none". */
  contenders: Contender[];
  /** One for each that could not run a container in its bridge. */
  failed: Sample[];
}

export async function networkPeers(world: World, stack: AsyncDisposableStack): Promise<NetworkPeers> {
  const contenders: Contender[] = [];
  const failed: Sample[] = [];
  for (const name of ["podman", "docker"] as const) {
    const shells = await networkShells(world, stack, name);
    const found = await locate(shells, name === "docker" ? ["docker", "dockerd"] : [name]);
    if (!found) continue;
    const [program = "", daemon = ""] = found.paths;
    const { shell } = found;
    const engine =
      name === "docker"
        ? await dockerEngine(shell, world.scratch, program, daemon, { hasNetworks: true })
        : await podmanEngine(shell, world.scratch, program);
    try {
      contenders.push(...(await opened(world, engine, stack)));
    } catch (error) {
      failed.push({ engine: name, values: [], failures: [(error as Error).message] });
    }
  }
  return { contenders, failed };
}

/** The tree's first, as for the other rows. */
async function networkShells(world: World, stack: AsyncDisposableStack, name: string): Promise<Shell[]> {
  const tree = process.env.RT_BENCH_PEERS;
  const shells: Shell[] = [];
  for (const enter of tree ? [resolve(tree, "enter"), undefined] : [undefined]) {
    const options = { name: `${name}-network-${shells.length}`, scratch: world.scratch, enter };
    const shell = stack.use(await Shell.start({ ...options, ownNetwork: true }));
    await shell.ok("ip link set lo up");
    shells.push(shell);
  }
  return shells;
}

async function opened(world: World, engine: Engine, stack: AsyncDisposableStack): Promise<Contender[]> {
  const { shell, name } = engine;
  const { rootfs } = await world.busybox();
  const disk = stack.use(await freshDisk(shell, world.scratch, `${name}-network-store`));
  await engine.open(disk.dir);
  stack.defer(() => engine.close());
  const command = engine.daily!.command();
  // No registry is there: what it has is the tree itself.
  await shell.ok(`tar -C ${shell.inside(rootfs)} -c . | ${command} import - ${image}`);
  const run = (network: string) =>
    `${command} run --rm ${name === "podman" ? "--pids-limit=0 " : ""}--network ${network} ${image}`;
  const bridge = name === "podman" ? "podman" : "bridge";
  const seen = await shell.ok(`${run(bridge)} ip -4 -o address show eth0`);
  if (!/inet [\d.]+\//.test(seen)) throw new Error(`its container's interface is ${JSON.stringify(seen)}`);
  const contender = (engine: string, network: string): Contender => ({
    ...{ engine, shell, command: `${run(network)} true` },
    check: prints(""),
  });
  return [contender(name, bridge), contender(`${name}, none`, "none")];
}
