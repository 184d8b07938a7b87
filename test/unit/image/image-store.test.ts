import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { ContainerStore } from "../../../src/container/container-store.ts";
import { ImageStore } from "../../../src/image/image-store.ts";
import { parse } from "../../../src/reference/reference.ts";
import { Database } from "../../../src/store/database.ts";
import { containerRecord, imageRecord, newImage, scratch } from "../store/samples.ts";

function stores() {
  const dir = scratch();
  const database = Database.open(dir.path);
  const images = new ImageStore(database);
  const containers = new ContainerStore(database);
  const close = () => {
    database.close();
    dir[Symbol.dispose]();
  };
  return { database, images, containers, [Symbol.dispose]: close };
}

const alpine = imageRecord("alpine");
const busybox = imageRecord("busybox");
const latest = "docker.io/library/alpine:latest";
const digestOfAlpine = `docker.io/library/alpine@${alpine.manifest.digest}`;
const hex = (id: string) => id.slice("sha256:".length);
const idle = { force: false, isRunning: () => false };

test("an image is found by each of its names", () => {
  using store = stores();
  const { images } = store;
  expect(images.find("alpine")).toBeUndefined();
  expect(images.put(newImage(alpine, [latest, digestOfAlpine]))).toBe(true);
  expect(images.put(newImage(alpine, [latest, digestOfAlpine]))).toBe(false);
  const names = [
    "alpine",
    "alpine:latest",
    "docker.io/alpine",
    latest,
    `alpine@${alpine.manifest.digest}`,
    `alpine:3.20@${alpine.manifest.digest}`,
    alpine.id,
    hex(alpine.id),
    hex(alpine.id).slice(0, 12),
    hex(alpine.id).slice(0, 1),
    alpine.id.slice(0, 15),
  ];
  for (const name of names) expect(images.find(name)).toEqual(alpine);
  const others = [
    "alpine:3",
    "ghcr.io/alpine",
    `${hex(alpine.id).slice(0, 63)}x`,
    "0".repeat(64),
    "",
    "Alpine",
    "sha256:",
  ];
  for (const name of others) expect(images.find(name)).toBeUndefined();
  expect(() => images.get("nope")).toThrow(new RtError("not-found", "No such image: nope"));
});

test("a name goes before an ID, and the beginning of two IDs is refused with both", () => {
  using store = stores();
  const { images } = store;
  const twin = imageRecord("twin", { id: `${alpine.id.slice(0, 20)}${"0".repeat(51)}` as typeof alpine.id });
  const prefix = hex(alpine.id).slice(0, 13);
  images.put(newImage(alpine));
  images.put(newImage(twin));
  expect(() => images.find(prefix)).toThrow(
    `${prefix} is the beginning of several image IDs: ${[alpine, twin]
      .map(({ id }) => hex(id).slice(0, 12))
      .sort()
      .join(", ")}`,
  );
  images.put(newImage(busybox, [`docker.io/library/${prefix}:latest`]));
  expect(images.find(prefix)).toEqual(busybox);
});

test("a tag moves to the image that was pulled last", () => {
  using store = stores();
  const { images } = store;
  images.put(newImage(alpine, [latest]));
  expect(images.put(newImage(busybox, [latest]))).toBe(true);
  expect(images.get("alpine").record).toEqual(busybox);
  expect(images.get(alpine.id).tags).toEqual([]);
  images.tag("alpine", [parse("ghcr.io/me/mine:1")]);
  expect(images.get(busybox.id).tags.map(({ domain }) => domain)).toEqual(["docker.io", "ghcr.io"]);
  expect(() => images.tag("nope", [parse("x")])).toThrow("No such image: nope");
  expect(images.list().map(({ record, tags }) => [record.id, tags.length])).toEqual(
    [
      [alpine.id, 0],
      [busybox.id, 2],
    ].sort() as [typeof alpine.id, number][],
  );
});

test("the last name takes the image with it, and says what it needed", () => {
  using store = stores();
  const { images, database } = store;
  images.put(newImage(alpine, [latest, "docker.io/library/alpine:3", digestOfAlpine]));
  expect(images.remove("alpine:3", idle)).toMatchObject({ untagged: ["alpine:3"], released: [] });
  const removal = images.remove("alpine", idle);
  expect(removal.untagged).toEqual(["alpine:latest", `alpine@${alpine.manifest.digest}`]);
  expect(removal.deleted).toBe(alpine.id);
  expect(removal.released.slice(0, 2)).toEqual(alpine.chain.toReversed());
  expect(removal.released).toContain(alpine.layers[0]!.digest);
  for (const table of ["images", "tags", "image_blobs", "image_layers"]) {
    expect(database.all(`SELECT * FROM ${table}`)).toEqual([]);
  }
  expect(() => images.remove("alpine", idle)).toThrow("No such image: alpine");
});

test("a container holds its image", () => {
  using store = stores();
  const { images, containers } = store;
  images.put(newImage(alpine, [latest]));
  const record = containerRecord({ image: { id: alpine.id, reference: "alpine" } });
  containers.create(record);
  expect(() => images.remove("alpine", idle)).toThrow(
    `conflict: unable to remove repository reference "alpine" (must force) - container cccccccccccc is using its referenced image ${hex(alpine.id).slice(0, 12)}`,
  );
  expect(images.get("alpine").tags).toHaveLength(1);
  // Running: only the name goes.
  const forced = images.remove("alpine", { force: true, isRunning: (id) => id === record.id });
  expect(forced).toMatchObject({ untagged: ["alpine:latest"], released: [] });
  expect(images.remove(alpine.id, { ...idle, force: true }).deleted).toBe(alpine.id);
});

test("an image with a damaged record can still be removed", () => {
  using store = stores();
  const { images, database } = store;
  images.put(newImage(alpine, [latest]));
  database.run("UPDATE images SET record = ?", new Uint8Array([1, 2, 3]));
  expect(() => images.find("alpine")).toThrow(
    `the stored record of image ${alpine.id} is damaged (it does not start as one): remove it with rt rmi -f and pull it again`,
  );
  expect(images.remove("alpine", { ...idle, force: true }).deleted).toBe(alpine.id);
});

test("a name that is given leads where the name does by which the image was found", () => {
  using store = stores();
  const { images, database } = store;
  const index = busybox.manifest.digest;
  images.put({ ...newImage(alpine), tags: [{ name: latest, target: index }] });
  expect(images.taggedAt(alpine.id)).toBeGreaterThan(0);
  images.tag("alpine", [parse("a:1"), parse("b")]);
  images.tag(alpine.id, [parse("c")]);
  const targets = Object.fromEntries(images.get("a:1").targets);
  expect(targets).toEqual({
    [latest]: index,
    "docker.io/library/a:1": index,
    "docker.io/library/b:latest": index,
    "docker.io/library/c:latest": alpine.manifest.digest,
  });
  const bad = parse(`x@${index}`);
  expect(() => images.tag("alpine", [parse("d"), bad])).toThrow("refusing to create a tag");
  expect(images.find("d")).toBeUndefined();
  // What is damaged has names all the same.
  database.run("UPDATE images SET record = x'00'");
  images.tag("alpine", [parse("e")]);
  expect(images.idOf("e")).toBe(alpine.id);
  expect(images.untag("e", []).untagged).toEqual([
    "a:1",
    "alpine:latest",
    "b:latest",
    "c:latest",
    "e:latest",
  ]);
});

test("a repository's last tag takes its digests along; what is no name of the image is refused", () => {
  using store = stores();
  const { images } = store;
  images.put(newImage(alpine, [latest, "docker.io/library/alpine:3", digestOfAlpine]));
  images.put(newImage(busybox, ["docker.io/library/busybox:latest"]));
  const untag = (text: string, ...names: string[]) => images.untag(text, names.map(parse)).untagged;
  expect(() => untag("alpine", "alpine:3", "busybox")).toThrow("busybox:latest: tag not known");
  expect(() => untag("alpine", digestOfAlpine)).toThrow("untag by digest not supported");
  expect(() => untag("nosuch")).toThrow("No such image: nosuch");
  expect(untag("alpine", "alpine:3")).toEqual(["alpine:3"]);
  expect(images.get("alpine").digests).toHaveLength(1);
  expect(untag("alpine", "alpine")).toEqual(["alpine:latest"]);
  expect(images.get(alpine.id)).toMatchObject({ tags: [], digests: [] });
  expect(untag(alpine.id)).toEqual([]);
  expect(images.find("busybox")).toEqual(busybox);
});

test("who was used longest ago, and what all of them take", () => {
  using store = stores();
  const { images, containers, database } = store;
  images.put(newImage(alpine, [latest]));
  images.put(newImage(busybox, ["docker.io/library/busybox:latest"]));
  const order = () => images.leastRecentlyUsed().map(({ id }) => id);
  expect(order()).toEqual([alpine.id, busybox.id]);
  images.put(newImage(alpine, [latest]));
  expect(order()).toEqual([busybox.id, alpine.id]);
  containers.create(containerRecord({ image: { id: busybox.id, reference: "busybox" } }));
  expect(order()).toEqual([alpine.id]);
  containers.remove("c".repeat(64));
  expect(order()).toEqual([alpine.id, busybox.id]);
  // Of one from before that was noted nothing is known.
  database.run("DELETE FROM image_uses WHERE image = ?", busybox.id);
  expect(order()).toEqual([busybox.id, alpine.id]);
  const blobs = 2 * (500 + 900 + 1000 + 1001);
  expect(images.storedBytes()).toBe(blobs);
  const [chain, diff] = [alpine.chain[0]!, alpine.diffIDs[0]!];
  images.putLayer({ chain, driver: "copy", diff, parent: null, blob: alpine.layers[0]!.digest, size: 77 });
  expect(images.storedBytes()).toBe(blobs + 77);
  expect(images.contentSizes().get(alpine.id)).toBe(blobs / 2);
  expect(images.layerSizes(alpine.id)).toEqual(new Map([[chain, 77]]));
});
