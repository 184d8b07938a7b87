/**
 * A snapshot driver with a directory of its own, and what a test does with it: layers in, a container's view out.
 *
 *   await using bench = await workbench("overlay");
 *   const chain = await bench.apply(archive({ name: "a" }), archive({ name: ".wh.a" }));
 *   const tree = await bench.view(chain);
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { IdMap } from "../../src/base/id-map.ts";
import { type Digest, hexOf, parseDigest } from "../../src/oci/digest.ts";
import { candidateCalled, candidates } from "../../src/snapshot/select.ts";
import type { SnapshotDriver, UnpackRequest } from "../../src/snapshot/snapshot.ts";
import { run } from "../support/command.ts";
import { bindMapped } from "../support/idmapped.ts";
import { inUserNamespace } from "../support/ordinary.ts";
import { scratchDirectory } from "../support/scratch.ts";

export type DriverName = "overlay" | "copy";
export const driverNames = candidates.map(({ name }) => name as DriverName);

export class Workbench implements AsyncDisposable {
  readonly dir: string;
  readonly root: string;
  readonly driver: SnapshotDriver;
  readonly #mounts: string[] = [];
  #count = 0;

  constructor(name: DriverName) {
    this.dir = mkdtempSync(join(scratchDirectory(), "rt-snapshot-"));
    this.root = join(this.dir, name);
    this.driver = candidateCalled(name).open(this.root);
  }

  /** A new directory of the test's. */
  directory(): string {
    const path = join(this.dir, `d${this.#count++}`);
    mkdirSync(path);
    return path;
  }

  /** The request for one layer: `stored` is what the registry has (compressed or not), `tar` what is in it. */
  request(tar: Uint8Array, parents: readonly Digest[] = [], stored = tar): UnpackRequest {
    const path = join(this.dir, `blob-${this.#count++}`);
    writeFileSync(path, stored);
    const diffID = sha256(tar);
    const more = () => Promise.resolve({ size: stored.length, done: true });
    const source = { mediaType: "application/octet-stream", path, more };
    return { chain: chainOf(parents, diffID), parents, diffID, source, parentReady: Promise.resolve() };
  }

  /** Layers on top of `below`, bottom first, one after the other: the chain up to each. */
  async apply(tars: readonly Uint8Array[], below: readonly Digest[] = []): Promise<Digest[]> {
    const chain = [...below];
    for (const tar of tars) {
      const request = this.request(tar, [...chain]);
      await this.driver.unpack(request);
      chain.push(request.chain);
    }
    return chain;
  }

  /** All at once, as a pull does it, the topmost first; in order where the driver cannot. */
  async applyTogether(tars: readonly Uint8Array[]): Promise<Digest[]> {
    if (!this.driver.parallel) return this.apply(tars);
    const chain: Digest[] = [];
    const requests = tars.map((tar) => {
      const request = this.request(tar, [...chain]);
      chain.push(request.chain);
      return request;
    });
    const ready = requests.map(() => Promise.withResolvers<void>());
    const begun = requests.map(async (request, index) => {
      await this.driver.unpack({ ...request, parentReady: ready[index - 1]?.promise ?? Promise.resolve() });
      ready[index]!.resolve();
    });
    await Promise.all(begun);
    return chain;
  }

  /** What a container on `chain` has as its root, as the host sees it: with `owners` it has a user namespace. */
  async view(chain: readonly Digest[], key = `key-${this.#count++}`, owners?: IdMap): Promise<string> {
    if (!readdirSync(this.root, { encoding: "utf8" }).includes("active") || !this.isActive(key))
      await this.driver.prepare(key, chain, { owners });
    const rootfs = this.driver.rootfs(key, chain, { owners });
    if (rootfs.type === "bind") return rootfs.source;
    const lowers = rootfs.mapped ? await this.#mapped(rootfs.lower, owners!) : rootfs.lower;
    const at = this.directory();
    // Short names: mount(8) has one page for all options.
    const base = rootfs.mapped ? this.dir : join(this.root, "committed");
    const lower = lowers.map((path) => relative(base, path)).join(":");
    const marks = inUserNamespace ? ",userxattr" : "";
    const options = `lowerdir=${lower},upperdir=${rootfs.upper},workdir=${rootfs.work}${marks}`;
    await run(["mount", "-t", "overlay", "overlay", "-o", options, at], { cwd: base });
    this.#mounts.push(at);
    return at;
  }

  async #mapped(layers: readonly string[], owners: IdMap): Promise<string[]> {
    const places: string[] = [];
    for (const layer of layers) {
      const at = this.directory();
      await bindMapped(layer, at, owners);
      this.#mounts.push(at);
      places.push(at);
    }
    return places;
  }

  isActive(key: string): boolean {
    return this.driver.list().active.includes(key);
  }

  /** What is in tmp/: nothing, when nobody is at work. */
  leftovers(): string[] {
    const tmp = join(this.root, "tmp");
    return existsSync(tmp) ? readdirSync(tmp) : [];
  }

  /** The tree of a committed layer as it lies on disk. */
  onDisk(chain: Digest): string {
    return join(this.root, "committed", hexOf(chain), this.driver.name === "overlay" ? "diff" : "rootfs");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const mount of this.#mounts.reverse()) await run(["umount", mount]);
    // Deep trees take Bun's own removal seconds.
    await run(["rm", "-rf", this.dir]);
  }
}

export function workbench(name: DriverName): Workbench {
  return new Workbench(name);
}

export function sha256(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`);
}

function chainOf(parents: readonly Digest[], diffID: Digest): Digest {
  const below = parents.at(-1);
  return below === undefined ? diffID : sha256(Buffer.from(`${below} ${diffID}`));
}
