/** The engines, open and with empty stores, a docker-registry, and `rt registry serve`. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freshDisk } from "../bench/disk.ts";
import type { Shell } from "../bench/shell.ts";
import { locate, type World } from "../bench/world.ts";
import { freePort, type Registry, startRegistry } from "../support/registry.ts";
import { until } from "../support/wait.ts";

export interface Peer {
  name: string;
  shell: Shell;
  /** "podman --root …": a verb follows. */
  command: string;
  /** `run --rm` without network: flags, image, line follow. */
  run: string;
  /** After push and pull, where TLS is not to be asked for. */
  insecure: string;
}

export interface Place extends AsyncDisposable {
  docker: Peer;
  podman: Peer;
  /** With what images are made, pushed and saved. */
  rt: Peer;
  /** Where images are loaded: emptied by `fresh`. */
  other: Peer;
  /** Below it is what `serve` serves. */
  served: Peer;
  /** "127.0.0.1:PORT" */
  serve: string;
  registry: Registry;
  skopeo: { shell: Shell; command: string };
  /** containerd's own client, at docker's containerd: "ctr --address …". */
  ctr: { shell: Shell; command: string };
  /** The one with the converters, where it is there: "ctr-remote --address …". */
  containerd: string | undefined;
  files: string;
}

export async function openPlace(world: World): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const peer = async (name: string): Promise<Peer> => {
    const engine = world.engines.find((each) => each.name === name);
    if (!engine?.daily) throw new Error(`${name} is not installed`);
    const disk = stack.use(await freshDisk(engine.shell, world.scratch, `${name}-peer`));
    await engine.open(disk.dir);
    stack.defer(() => engine.close());
    const command = engine.daily.command();
    const insecure = name === "podman" ? "--tls-verify=false" : "";
    return { name, shell: engine.shell, command, run: engine.daily.make("run", "--rm"), insecure };
  };
  const ours = (name: string): Peer => {
    const dir = join(world.scratch, name);
    const command = `env RT_ROOT=${dir}/root RT_STATE=${dir}/state ${world.binary}`;
    return { name, shell: world.host, command, run: `${command} run --rm --network none`, insecure: "" };
  };
  const docker = await peer("docker");
  const podman = await peer("podman");
  const registry = stack.use(await startRegistry());
  const served = ours("served");
  const serve = `127.0.0.1:${await freePort()}`;
  const pid = await world.host.ok(
    `{ ${served.command} registry serve --listen ${serve} & } >${world.scratch}/serve.log 2>&1; echo $!`,
  );
  stack.defer(async () => void (await world.host.ok(`kill ${pid}; wait ${pid}; true`)));
  await until("rt's registry answers", () => isThere(`http://${serve}/v2/`));
  const found = await locate(world.shells.toReversed(), ["skopeo"]);
  if (!found) throw new Error("skopeo is not installed");
  const files = join(world.scratch, "files");
  mkdirSync(files);
  const remote = await docker.shell.time("command -v ctr-remote");
  const socket = docker.shell.inside(join(world.scratch, "docker-state/exec/containerd/containerd.sock"));
  const owned = stack.move();
  return {
    docker,
    podman,
    rt: ours("here"),
    other: ours("other"),
    served,
    serve,
    registry,
    ctr: { shell: docker.shell, command: `ctr --address ${socket}` },
    skopeo: { shell: found.shell, command: `${found.paths[0]} --insecure-policy` },
    containerd: remote.status === 0 ? `ctr-remote --address ${socket}` : undefined,
    files,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function isThere(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch (error) {
    if ((error as { code?: string }).code === "ECONNREFUSED") return false;
    throw error;
  }
}
