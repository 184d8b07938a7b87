import { Database as Sqlite } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { ContainerStore } from "../../../src/container/container-store.ts";
import { containerType } from "../../../src/container/record.ts";
import { ImageStore } from "../../../src/image/image-store.ts";
import { encodeRecord } from "../../../src/store/codec.ts";
import { Database } from "../../../src/store/database.ts";
import { migrations } from "../../../src/store/schema.ts";
import { VolumeStore } from "../../../src/volume/volume-store.ts";
import { containerRecord, imageRecord, newImage, scratch } from "../store/samples.ts";

const nothing = { labels: {}, options: {} };
const named = (name: string) => ({ name, anonymous: false, ...nothing });

function codeOf(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof RtError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

function usedBy(database: Database, id: string, ...names: string[]): ContainerStore {
  const image = imageRecord("alpine");
  new ImageStore(database).put(newImage(image));
  const containers = new ContainerStore(database);
  const mounts = names.map((name) => ({
    ...{ type: "volume" as const, name, anonymous: false, source: "/v", destination: `/${name}` },
    ...{ readonly: false, options: [] },
  }));
  const reference = { id: image.id, reference: "alpine" };
  containers.create(containerRecord({ id, name: id.slice(0, 4), image: reference, mounts }));
  return containers;
}

test("made once, with private parents and a directory for everybody", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const store = new VolumeStore(database, dir.path);
  const made = store.create({ ...named("data"), labels: { a: "b" } }).volume;
  expect(store.create({ ...named("data"), labels: { c: "d" } }).volume.record).toEqual({
    labels: { a: "b" },
    options: {},
  });
  expect(made.created).toMatch(/^\d{4}-.*Z$/);
  const modes = ["volumes", "volumes/data", "volumes/data/_data"].map((path) =>
    (statSync(join(dir.path, path)).mode & 0o777).toString(8),
  );
  expect(modes).toEqual(["700", "700", "755"]);
});

test("in use: by a container's row, or by who is about to write one", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const store = new VolumeStore(database, dir.path);
  {
    const { lease, made } = store.hold([named("data"), named("logs")]);
    using _ = lease;
    expect(made).toEqual(["data", "logs"]);
    expect(codeOf(() => store.take("data"))).toStartWith("conflict: remove data: volume is in use - [");
    expect([...(store.inUse() ?? [])].sort()).toEqual(["data", "logs"]);
  }
  const id = "c".repeat(64);
  const containers = usedBy(database, id, "data");
  expect(codeOf(() => store.take("data"))).toBe(`conflict: remove data: volume is in use - [${id}]`);
  expect([...(store.inUse() ?? [])]).toEqual(["data"]);
  const aside = store.take("data", id)!;
  expect(existsSync(join(aside, "data/_data"))).toBe(true);
  expect(store.leftovers()).toEqual([aside]);
  expect(codeOf(() => store.get("data"))).toBe("not-found: get data: no such volume");
  expect(containers.remove(id)).toBe(true);
  expect([...(store.inUse() ?? [])]).toEqual([]);
  expect(store.list().map(({ name }) => name)).toEqual(["logs"]);
});

test("whoever died in the middle of a removal has removed: the row goes with the next look", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const store = new VolumeStore(database, dir.path);
  for (const name of ["half", "again", "whole"]) store.create(named(name));
  for (const name of ["half", "again"]) {
    mkdirSync(join(dir.path, `volumes/.removed-${name}`));
    renameSync(join(dir.path, "volumes", name), join(dir.path, `volumes/.removed-${name}`, name));
  }
  // Somebody has made it anew since then.
  mkdirSync(join(dir.path, "volumes/again/_data"), { recursive: true });
  expect(
    store
      .list()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["again", "whole"]);
  expect(store.leftovers()).toHaveLength(2);
});

test("no name leads out of the directory of volumes", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const store = new VolumeStore(database, dir.path);
  mkdirSync(join(dir.path, "outside/_data"), { recursive: true });
  for (const name of ["../outside", "..", ".", "", "/", "a/../../outside", ".removed-x"])
    expect(codeOf(() => store.take(name))).toStartWith("not-found: ");
  expect(readdirSync(dir.path)).toContain("outside");
});

test("a store of before: directories are adopted, and what containers have is in use", () => {
  using dir = scratch();
  const sqlite = new Sqlite(join(dir.path, "db.sqlite"));
  for (const { sql } of migrations.slice(0, 2)) sqlite.exec(sql);
  sqlite.exec("PRAGMA user_version = 2; PRAGMA journal_mode = WAL");
  const volume = (name: string) => ({
    ...{ type: "volume" as const, name, source: "/v", destination: `/${name}`, readonly: false, options: [] },
  });
  const record = containerRecord({ mounts: [volume("old"), volume("gone")] });
  const insert = "INSERT INTO containers (id, name, image, created, record) VALUES (?, ?, 'x', 'y', ?)";
  sqlite.run(insert, [record.id, "good", encodeRecord(containerType, record)]);
  sqlite.close();
  const anonymous = "5".repeat(64);
  for (const name of ["old", "free", anonymous])
    mkdirSync(join(dir.path, "volumes", name, "_data"), { recursive: true });
  {
    using database = Database.open(dir.path);
    const store = new VolumeStore(database, dir.path);
    const all = store.list().map(({ name, anonymous, record }) => [name, anonymous, record.labels]);
    expect(all.sort()).toEqual([
      [anonymous, true, { "com.docker.volume.anonymous": "" }],
      ["free", false, {}],
      ["old", false, {}],
    ]);
    expect([...(store.inUse() ?? [])].sort()).toEqual(["gone", "old"]);
    expect(codeOf(() => store.take("old"))).toStartWith("conflict: ");
    expect(store.take("free")).toBeString();
  }
});

test("a store of before with a damaged container: it may have any volume, until it is gone", () => {
  using dir = scratch();
  const sqlite = new Sqlite(join(dir.path, "db.sqlite"));
  for (const { sql } of migrations.slice(0, 2)) sqlite.exec(sql);
  sqlite.exec("PRAGMA user_version = 2; PRAGMA journal_mode = WAL");
  const id = "d".repeat(64);
  sqlite.run(
    `INSERT INTO containers (id, name, image, created, record) VALUES ('${id}', 'n', 'x', 'y', x'01')`,
  );
  sqlite.close();
  using database = Database.open(dir.path);
  const store = new VolumeStore(database, dir.path);
  store.create(named("data"));
  expect(store.inUse()).toBeUndefined();
  expect(codeOf(() => store.take("data"))).toStartWith("conflict: ");
  new ContainerStore(database).remove(id);
  expect(store.inUse()).toEqual(new Set());
  expect(store.take("data")).toBeString();
});

test("the outer directory of one that was never made goes", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const store = new VolumeStore(database, dir.path);
  for (const name of ["hollow", "odd/with", "whole/_data", "opted"])
    mkdirSync(join(dir.path, "volumes", name), { recursive: true });
  writeFileSync(join(dir.path, "volumes/opted/opts.json"), "{}");
  expect(store.list().map(({ name }) => name)).toEqual(["whole"]);
  expect(readdirSync(join(dir.path, "volumes")).sort()).toEqual(["odd", "whole"]);
});
