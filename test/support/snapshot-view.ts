/** What a container's root is on disk, without what a start mounts in it. */
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { Host } from "../../src/engine/host.ts";
import type { Rootfs } from "../../src/snapshot/snapshot.ts";
import { run } from "./command.ts";
import type { TestHost } from "./host.ts";
import { testSession } from "./session.ts";

type Use<T> = (root: string) => Promise<T>;

/** The tree that a container of the image begins with, while `use` looks at it. */
export async function viewImage<T>(host: TestHost, name: string, driver: string, use: Use<T>): Promise<T> {
  using store = storeOf(host, driver);
  const snapshots = await store.snapshots();
  const { chain } = store.images.get(name).record;
  await snapshots.prepare("look", chain);
  try {
    return await mounted(host, snapshots.rootfs("look", chain, {}), use);
  } finally {
    await snapshots.removeActive("look");
  }
}

/** The tree of a container that does not run. @param id of 64 digits */
export async function viewContainer<T>(
  host: TestHost,
  id: string,
  image: string,
  driver: string,
  use: Use<T>,
): Promise<T> {
  using store = storeOf(host, driver);
  const snapshots = await store.snapshots();
  return await mounted(host, snapshots.rootfs(id, store.images.get(image).record.chain, {}), use);
}

function storeOf({ root, state, env }: TestHost, storageDriver: string): Host {
  return new Host(testSession(), { root, state, env, storageDriver });
}

async function mounted<T>(host: TestHost, rootfs: Rootfs, use: Use<T>): Promise<T> {
  const point = join(host.dir, "look");
  mkdirSync(point);
  try {
    await mount(rootfs, point);
    try {
      return await use(point);
    } finally {
      await run(["umount", point]);
    }
  } finally {
    rmdirSync(point);
  }
}

async function mount(rootfs: Rootfs, point: string): Promise<void> {
  if (rootfs.type === "bind") {
    await run(["mount", "--bind", rootfs.source, point]);
    return;
  }
  const { lower, upper, work } = rootfs;
  const options = `lowerdir=${lower.join(":")},upperdir=${upper},workdir=${work}`;
  await run(["mount", "-t", "overlay", "-o", options, "rt-test", point]);
}
