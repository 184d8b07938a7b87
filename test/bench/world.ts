/**
 * What a benchmark needs around it, made in one scratch directory and gone with it: the shells, a registry with the
 * images, and the engines that are installed.
 *
 * Peers are looked for on PATH, and in the tree that RT_BENCH_PEERS names: a directory with an executable `enter` that
 * runs its arguments inside that tree, with $HOSTDIR of the host at /host (and a plain cgroup v2 at /sys/fs/cgroup,
 * as crun and podman refuse a hybrid host). What is in the tree is preferred.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "../support/command.ts";
import { busyboxLayout } from "../support/images.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { rtBinary } from "../support/rt.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { benchDebianLayout, blob, type Manifest } from "./debian-image.ts";
import { dockerEngine } from "./docker-engine.ts";
import type { Engine, Image } from "./engine.ts";
import { podmanEngine } from "./podman-engine.ts";
import { rtEngine } from "./rt-engine.ts";
import { runcEngine } from "./runc-engine.ts";
import { Shell } from "./shell.ts";

export interface DebianImage {
  reference: string;
  id: string;
}

export interface World extends AsyncDisposable {
  /** On a tmpfs where there is one. */
  scratch: string;
  /**
   * A directory on a disk, for executables: a program of 100 MB starts and ends 1.5 ms later from a tmpfs, which has it
   * in small pages, and nobody installs programs there.
   */
  programs: string;
  /** rt, in it. */
  binary: string;
  /** The host's, and the tree's where there is one. */
  shells: Shell[];
  host: Shell;
  rt: Engine;
  /** All, rt first. */
  engines: Engine[];
  /** "podman" … */
  absent: string[];
  busybox(): Promise<Image>;
  /** The multi-layer image, gzip, and its image id; or the same with another last layer. */
  debian(tag?: "gzip" | "changed"): Promise<DebianImage>;
  /** Ends everything now, whatever is being measured. */
  abort(): Promise<void>;
}

export async function makeWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const scratch = await mkdtemp(join(scratchDirectory(), "rt-bench-"));
  stack.defer(() => rm(scratch, { recursive: true, force: true }));
  const host = stack.use(await Shell.start({ name: "host", scratch }));
  const shells = [host];
  const tree = process.env.RT_BENCH_PEERS;
  if (tree) {
    const enter = resolve(tree, "enter");
    shells.push(stack.use(await Shell.start({ name: "tree", scratch, enter })));
  }
  const programs = await mkdtemp(join("/var/tmp", "rt-bench-"));
  stack.defer(() => rm(programs, { recursive: true, force: true }));
  const binary = join(programs, "rt");
  copyFileSync(rtBinary, binary);
  const rt = await rtEngine(host, scratch, binary);
  const { peers, absent } = await findPeers(shells.toReversed(), scratch);
  let registry: Promise<Registry> | undefined;
  let busybox: Promise<Image> | undefined;
  const theRegistry = () => {
    registry ??= startRegistry().then((started) => owned.use(started));
    return registry;
  };
  const owned = stack.move();
  return {
    scratch,
    programs,
    binary,
    shells,
    host,
    rt,
    engines: [rt, ...peers],
    absent,
    busybox() {
      busybox ??= busyboxImage(scratch, theRegistry);
      return busybox;
    },
    debian: (tag = "gzip") => debianImage(theRegistry, tag),
    async abort() {
      await Promise.all(shells.map((shell) => shell.kill()));
      if (registry) await (await registry)[Symbol.asyncDispose]();
      for (const dir of [scratch, programs]) await rm(dir, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function findPeers(shells: Shell[], scratch: string): Promise<{ peers: Engine[]; absent: string[] }> {
  const peers: Engine[] = [];
  const absent: string[] = [];
  for (const name of ["crun", "runc", "podman", "docker"] as const) {
    const found = await locate(shells, name === "docker" ? ["docker", "dockerd"] : [name]);
    const [program = "", daemon = ""] = found?.paths ?? [];
    if (found === undefined) absent.push(name);
    else if (name === "docker") peers.push(await dockerEngine(found.shell, scratch, program, daemon));
    else if (name === "podman") peers.push(await podmanEngine(found.shell, scratch, program));
    else peers.push(await runcEngine(name, found.shell, scratch, program));
  }
  return { peers, absent };
}

/** The first shell that has all of `programs`. */
export async function locate(
  shells: Shell[],
  programs: string[],
): Promise<{ shell: Shell; paths: string[] } | undefined> {
  for (const shell of shells) {
    const result = await shell.time(programs.map((name) => `command -v ${name}`).join(" && "));
    if (result.status === 0) return { shell, paths: result.stdout.trim().split("\n") };
  }
  return undefined;
}

async function busyboxImage(scratch: string, registry: () => Promise<Registry>): Promise<Image> {
  const layout = await busyboxLayout();
  const digest = await pushLayout(layout, "latest", await registry(), "busybox:latest");
  const manifest: Manifest = await blob(layout, digest).json();
  const rootfs = join(scratch, "rootfs");
  mkdirSync(rootfs);
  for (const layer of manifest.layers)
    await run(["tar", "-xf", blob(layout, layer.digest).name!, "-C", rootfs]);
  return { reference: `${(await registry()).address}/busybox:latest`, rootfs };
}

async function debianImage(registry: () => Promise<Registry>, tag: string): Promise<DebianImage> {
  const layout = await benchDebianLayout();
  const digest = await pushLayout(layout, tag, await registry(), `debian:${tag}`);
  const manifest: Manifest = await blob(layout, digest).json();
  return { reference: `${(await registry()).address}/debian:${tag}`, id: manifest.config.digest };
}
