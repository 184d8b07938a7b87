import { expect, test } from "bun:test";
import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collect, protect } from "../../../../src/engine/care/collect.ts";
import { pullFrom } from "../../../../src/engine/image/pull.ts";
import { removeImage } from "../../../../src/engine/image/remove.ts";
import { chainIDs, digestOf } from "../../../../src/oci/digest.ts";
import { containerRecord, scratch } from "../../store/samples.ts";
import { FakeSource, fakeHost, layerBytes } from "../fakes.ts";

const base = [layerBytes("a"), layerBytes("b")];
const parent = () => new FakeSource({ reference: "docker.io/library/parent:latest", layers: base });
const child = () =>
  new FakeSource({ reference: "docker.io/library/child:latest", layers: [...base, layerBytes("c")] });
const chain = chainIDs([...base, layerBytes("c")].map((layer) => digestOf(layer)));
const aDay = 25 * 3600 * 1000;

test("an image goes with what only it needs", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const { image, target } = await pullFrom(host, child());
  await pullFrom(host, parent());
  expect(await removeImage(host, "child")).toEqual([
    { Untagged: "child:latest" },
    { Untagged: `child@${target}` },
    { Deleted: image.id },
    { Deleted: chain[2]! },
  ]);
  expect(host.driver.list().committed.sort()).toEqual(chain.slice(0, 2).sort());
  const content = await host.content();
  expect(content.list()).toHaveLength(4); // Two layers, config and manifest of the other.
  const lines = await removeImage(host, "parent");
  expect(lines.slice(3)).toEqual([{ Deleted: chain[1]! }, { Deleted: chain[0]! }]);
  expect(content.list()).toEqual([]);
  expect(host.driver.list().committed).toEqual([]);
  for (const table of ["blobs", "layers", "images", "tags"]) {
    expect(host.database.all(`SELECT * FROM ${table}`)).toEqual([]);
  }
});

test("--no-prune keeps the layers", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  await pullFrom(host, parent());
  expect(await removeImage(host, "parent", { prune: false })).toHaveLength(3);
  expect(host.driver.list().committed).toHaveLength(2);
  const again = parent();
  await pullFrom(host, again);
  expect(again.fetched.size).toBe(0);
});

test("the layers of a container stay when its image is forced away", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const { image } = await pullFrom(host, parent());
  const record = containerRecord({ image: { id: image.id, reference: "parent" }, chain: image.chain });
  host.containers.create(record);
  await host.driver.prepare(record.id);
  await host.driver.prepare("e".repeat(64)); // Of a container that never came to be.
  await expect(removeImage(host, "parent")).rejects.toThrow("(must force) - container cccccccccccc is using");
  await removeImage(host, "parent", { force: true });
  expect(host.driver.list()).toMatchObject({ active: [record.id] });
  expect(host.driver.list().committed).toHaveLength(2);
  host.containers.remove(record.id);
  const { snapshots } = await collect(host, { now: Date.now() + aDay });
  expect([...snapshots].sort()).toEqual([...image.chain].sort());
  expect(host.driver.list()).toEqual({ active: [], committed: [] });
});

test("a running container keeps its image, forced or not", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const { image } = await pullFrom(host, parent());
  const record = containerRecord({ image: { id: image.id, reference: "parent" }, chain: image.chain });
  host.containers.create(record);
  const state = host.stateOf(record.id);
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, "pid"), "init 1 1\nmonitor 1 1\nstarted 1\n");
  const monitor = Bun.spawn(["flock", join(state, "lock"), "sh", "-c", "echo up; exec sleep 60"], {
    stdout: "pipe",
  });
  try {
    await monitor.stdout.getReader().read();
    expect(await removeImage(host, "parent", { force: true })).toEqual([
      { Untagged: "parent:latest" },
      { Untagged: expect.stringContaining("parent@sha256:") },
    ]);
    await expect(removeImage(host, image.id, { force: true })).rejects.toThrow(
      "(cannot be forced) - image is being used by running container cccccccccccc",
    );
  } finally {
    monitor.kill("SIGKILL");
    await monitor.exited;
  }
});

test("what a broken pull left is kept a day, and what a living command holds longer", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const broken = child();
  broken.meddle = (chunk, layer, offset) => {
    if (layer.digest === digestOf(layerBytes("c")) && offset > 0) throw new Error("reset");
    return chunk;
  };
  await expect(pullFrom(host, broken)).rejects.toThrow("reset");
  const later = Date.now() + aDay;
  expect(await collect(host)).toEqual({ snapshots: [], blobs: [], bytes: 0 });
  {
    using _ = await protect(host, [chain[0]!, digestOf(base[0]!)]);
    const { snapshots, blobs } = await collect(host, { now: later });
    expect(snapshots).not.toContain(chain[0]!);
    expect(blobs).not.toContain(digestOf(base[0]!));
  }
  await collect(host, { now: later });
  expect(host.driver.list().committed).toEqual([]);
  expect((await host.content()).list()).toEqual([]);
});

test("a draft of a database that was never published is removed", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  host.images.list();
  const draft = join(host.paths.root, "db.sqlite.new-x");
  writeFileSync(draft, "");
  await collect(host);
  expect(existsSync(draft)).toBe(true);
  utimesSync(draft, 0, 0);
  await collect(host);
  expect(existsSync(draft)).toBe(false);
});

test("the layers of a container stay while its image is gone and its record is damaged; all else goes", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  const { image } = await pullFrom(host, parent());
  host.containers.create(containerRecord({ image: { id: image.id, reference: "" }, chain: image.chain }));
  host.database.run("UPDATE containers SET record = x'00'");
  const later = Date.now() + aDay;
  expect((await collect(host, { now: later })).snapshots).toEqual([]);
  await removeImage(host, "parent", { force: true });
  await collect(host, { now: later });
  expect(host.driver.list().committed).toHaveLength(2);
  expect((await host.content()).list()).toEqual([]);
  host.containers.remove(host.containers.ids()[0]!);
  expect((await collect(host, { now: later })).snapshots).toHaveLength(2);
});
