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
  images.tag("alpine", parse("ghcr.io/me/mine:1"));
  expect(images.get(busybox.id).tags.map(({ domain }) => domain)).toEqual(["docker.io", "ghcr.io"]);
  expect(() => images.tag("nope", parse("x"))).toThrow("No such image: nope");
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
