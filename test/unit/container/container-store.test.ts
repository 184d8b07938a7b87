import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { ContainerStore } from "../../../src/container/container-store.ts";
import { ImageStore } from "../../../src/image/image-store.ts";
import { Database } from "../../../src/store/database.ts";
import { containerRecord, imageRecord, newImage, scratch } from "../store/samples.ts";

const image = imageRecord("alpine");
const facts = {
  exitCode: 3,
  startedAt: "2025-01-01T00:00:00Z",
  finishedAt: "2025-01-01T00:00:01Z",
  error: "",
};

function stores() {
  const dir = scratch();
  const database = Database.open(dir.path);
  new ImageStore(database).put(newImage(image));
  const close = () => {
    database.close();
    dir[Symbol.dispose]();
  };
  return { database, containers: new ContainerStore(database), [Symbol.dispose]: close };
}

const record = (id: string, name: string, created = "2025-01-01T00:00:00Z") =>
  containerRecord({ id: id.padEnd(64, "0"), name, created, image: { id: image.id, reference: "alpine" } });

test("a container is found by ID, name and the beginning of its ID", () => {
  using store = stores();
  const { containers } = store;
  const a = record("abc1", "first");
  const b = record("abd2", "abc1"); // A name that looks like the beginning of another's ID.
  containers.create(a);
  containers.create(b);
  for (const text of [a.id, "first", "/first", "abc10", "abc"])
    expect(containers.get(text).record).toEqual(a);
  for (const text of [b.id, "abc1", "abd"]) expect(containers.get(text).record).toEqual(b);
  expect(() => containers.get("ab")).toThrow(
    new RtError("invalid-argument", "multiple IDs found with provided prefix: ab"),
  );
  expect(() => containers.get("nope")).toThrow(new RtError("not-found", "No such container: nope"));
  expect(containers.find("")).toBeUndefined();
});

test("a name is used once", () => {
  using store = stores();
  const { containers } = store;
  containers.create(record("a", "x"));
  const holder = record("a", "x").id;
  expect(() => containers.create(record("b", "x"))).toThrow(
    new RtError(
      "conflict",
      `Conflict. The container name "/x" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
    ),
  );
  expect(() => containers.create(record("a", "y"))).toThrow(`container ${holder} exists already`);
  expect(containers.remove(holder)).toBe(true);
  expect(containers.remove(holder)).toBe(false);
  containers.create(record("b", "x"));
});

test("a name that nobody chose gives way", () => {
  using store = stores();
  const { containers } = store;
  for (const id of ["a", "b", "c"]) containers.create(record(id, "x"), (attempt) => `x${attempt}`);
  expect(
    containers
      .list()
      .map((container) => container.record.name)
      .sort(),
  ).toEqual(["x", "x1", "x2"]);
  expect(containers.get("x2").record.id).toBe(record("c", "x").id);
});

test("a container of an image that was removed meanwhile is not made", () => {
  using store = stores();
  const orphan = { ...record("a", "x"), image: { id: imageRecord("gone").id, reference: "gone" } };
  expect(() => store.containers.create(orphan)).toThrow(new RtError("not-found", "No such image: gone"));
  expect(store.containers.list()).toEqual([]);
});

test("the first to see an exit writes it, and it is no longer one to look after", () => {
  using store = stores();
  const { containers } = store;
  containers.create(record("a", "old", "2025-01-01T00:00:00Z"));
  containers.create(record("b", "new", "2025-01-02T00:00:00Z"));
  const unsettled = () =>
    containers
      .unsettled()
      .map(({ name }) => name)
      .sort();
  expect(unsettled()).toEqual(["new", "old"]);
  const { id } = record("a", "old");
  expect(containers.get("old").exit).toBeUndefined();
  expect(containers.recordExit(id, facts)).toBe(true);
  expect(containers.recordExit(id, { ...facts, exitCode: 137 })).toBe(false);
  expect(containers.get("old").exit).toEqual(facts);
  expect(unsettled()).toEqual(["new"]);
  containers.clearExit(id);
  expect(containers.get("old").exit).toBeUndefined();
});

test("a damaged record is named, and can be removed", () => {
  using store = stores();
  const { containers, database } = store;
  containers.create(record("a", "x"));
  database.run("UPDATE containers SET record = ?", new Uint8Array());
  expect(() => containers.get("x").record).toThrow("the stored record of container x is damaged");
  expect(containers.get("x")).toMatchObject({
    id: record("a", "x").id,
    reference: "alpine",
    command: "sh -c echo",
    damage: { code: "data-loss" },
  });
  expect(containers.remove(containers.get("x").id)).toBe(true);
});

test("one that was made and not started is settled, and so is one whose start was given up", () => {
  using store = stores();
  const { containers } = store;
  const unsettled = () => containers.unsettled().map(({ name }) => name);
  const { id } = containers.create(record("a", "x"), undefined, { started: false }).record;
  expect(unsettled()).toEqual([]);
  expect(containers.get(id).exit).toBeUndefined();
  containers.clearExit(id);
  expect(unsettled()).toEqual(["x"]);
  containers.settle(id, facts);
  expect(containers.get(id).exit).toEqual(facts);
  containers.settle(id, undefined); // it is settled already
  expect(containers.get(id).exit).toEqual(facts);
  containers.clearExit(id);
  containers.settle(id, undefined);
  expect([unsettled(), containers.get(id).exit]).toEqual([[], undefined]);
});

test("why a container could not be started is kept until it is started again", () => {
  using store = stores();
  const { containers } = store;
  const { id } = containers.create(record("a", "x"), undefined, { started: false }).record;
  expect(containers.get(id).failure).toBeUndefined();
  containers.recordFailure(id, { exitCode: 127, error: "not found" });
  expect(containers.get(id)).toMatchObject({
    exit: undefined,
    failure: { exitCode: 127, error: "not found" },
  });
  containers.clearExit(id);
  containers.recordFailure(id, { exitCode: 1, error: "too late: it runs" });
  expect(containers.get(id)).toMatchObject({ exit: undefined, failure: undefined });
  containers.recordExit(id, facts);
  containers.recordFailure(id, { exitCode: 126, error: "denied" });
  expect(containers.get(id).exit).toEqual({ ...facts, exitCode: 126, error: "denied" });
});

test("a container gets another name, in its record too, unless another one has it", () => {
  using store = stores();
  const { containers } = store;
  containers.create(record("a", "x"));
  containers.create(record("b", "y"));
  const bytes = containers.rename(containers.get("x"), "z");
  expect(containers.get("z").record).toEqual(record("a", "z"));
  expect(containers.bytesOf(record("a", "z"))).toEqual(bytes);
  expect(containers.find("x")).toBeUndefined();
  expect(() => containers.rename(containers.get("z"), "y")).toThrow(
    'The container name "/y" is already in use',
  );
  const gone = containers.get("y");
  containers.remove(gone.id);
  expect(() => containers.rename(gone, "w")).toThrow("No such container: y");
});

test("one that is being removed is said so, and is looked after by whoever lives", () => {
  using store = stores();
  const { containers } = store;
  const { id } = record("a", "x");
  containers.create(record("a", "x"));
  containers.recordExit(id, facts);
  expect(containers.condemn(id, { volumes: false }, () => false)).toBeUndefined();
  expect([containers.get(id).removal, containers.unsettled()]).toEqual([undefined, []]);
  const lease = containers.condemn(id, { volumes: true }, () => true)!;
  expect(containers.isBeingRemoved(id)).toBe(true);
  lease[Symbol.dispose]();
  expect(containers.isBeingRemoved(id)).toBe(false);
  // Without its volumes, by somebody who does not know better: they are condemned already.
  containers.condemn(id, { volumes: false }, () => true)![Symbol.dispose]();
  expect(containers.unsettled().map(({ removal, exit }) => [removal, exit])).toEqual([
    [{ volumes: true }, facts],
  ]);
  containers.remove(id);
  expect(containers.condemn(id, { volumes: false }, () => true)).toBeUndefined();
  expect(containers.isBeingRemoved(id)).toBe(false);
});
