import { expect, test } from "bun:test";
import { protect } from "../../../../src/engine/care/collect.ts";
import { keepWithinLimit, limitText } from "../../../../src/engine/care/limit.ts";
import { pullFrom } from "../../../../src/engine/image/pull.ts";
import { tagImage } from "../../../../src/engine/image/tag.ts";
import { containerRecord, scratch } from "../../store/samples.ts";
import { FakeSource, fakeHost, layerBytes } from "../fakes.ts";

/** Room for two of these images: each is a blob of 50,000 bytes, a layer of as many, and two documents. */
const limit = 'store-limit = "250k"';

function source(name: string, layers = [name], config: Record<string, unknown> = {}): FakeSource {
  const reference = `docker.io/library/${name}:latest`;
  return new FakeSource({ reference, layers: layers.map((layer) => layerBytes(layer)), config });
}

function world(config = limit) {
  const dir = scratch();
  const host = fakeHost(dir.path, true, config);
  const bring = async (...args: Parameters<typeof source>) => {
    const { image } = await pullFrom(host, source(...args));
    await keepWithinLimit(host, [image.id]);
    return image;
  };
  const names = () =>
    host.images
      .list()
      .flatMap(({ tags }) => tags.map(({ path }) => path.replace("library/", "")))
      .sort();
  const close = () => {
    host.close();
    dir[Symbol.dispose]();
  };
  return { host, bring, names, [Symbol.dispose]: close };
}

const removed = (name: string) => `image ${name}:latest was removed: the store is over its limit of 250k`;

test("the image that was used longest ago goes, with its bytes", async () => {
  using store = world();
  const { host, bring, names } = store;
  await bring("a");
  await bring("b");
  await bring("a");
  expect(host.warnings).toEqual([]);
  await bring("c");
  expect([names(), host.warnings]).toEqual([["a", "c"], [removed("b")]]);
  expect(host.driver.list().committed).toHaveLength(2);
  expect((await host.content()).list()).toHaveLength(6);
  // A name is a use, too.
  await tagImage(host, "a", ["a:latest"]);
  await bring("d");
  expect([names(), host.warnings]).toEqual([
    ["a", "d"],
    [removed("b"), removed("c")],
  ]);
});

test("a container is a use, and its image stays", async () => {
  using store = world();
  const { host, bring, names } = store;
  const image = await bring("a");
  await bring("b");
  const record = containerRecord({ image: { id: image.id, reference: "a" }, chain: image.chain });
  host.containers.create(record);
  await bring("c");
  expect(names()).toEqual(["a", "c"]);
  host.containers.remove(record.id);
  await bring("d");
  expect(names()).toEqual(["c", "d"]);
  // When it was made counts, and not when it went.
  host.containers.create(containerRecord({ image: { id: host.images.idOf("c")!, reference: "c" } }));
  host.containers.remove(record.id);
  await bring("e");
  expect(names()).toEqual(["c", "e"]);
});

test("what is to be kept is kept: by a label, or by a tag", async () => {
  using store = world();
  const { host, bring, names } = store;
  await bring("a", ["a"], { Labels: { "rt.keep": "" } });
  await bring("b", ["b"], { Labels: { "rt.keep": "false" } });
  await bring("c");
  expect(names()).toEqual(["a", "c"]);
  await tagImage(host, "c", ["team/c:rt.keep"]);
  const over = "the store is over its limit of 250k, and no other image may go";
  await bring("d");
  expect([names(), host.warnings]).toEqual([
    ["a", "c", "d", "team/c"],
    [removed("b"), over],
  ]);
});

test("nothing goes that a running command is at work on, or that would give no room", async () => {
  using store = world();
  const { host, bring, names } = store;
  const base = await bring("base", ["shared"]);
  const container = containerRecord({ image: { id: base.id, reference: "base" }, chain: base.chain });
  host.containers.create(container);
  await bring("alias", ["shared"], { User: "1" });
  const leased = await bring("leased");
  using lease = await protect(host, [leased.layers[0]!.digest]);
  await bring("last");
  expect(names()).toEqual(["alias", "base", "last", "leased"]);
  lease[Symbol.dispose]();
  await bring("more");
  expect(names()).toEqual(["alias", "base", "more"]);
  host.containers.remove(container.id);
});

test("a record that is damaged holds up nobody, and is left for people to see", async () => {
  using store = world();
  const { host, bring, names } = store;
  const bad = await bring("bad");
  await bring("b");
  host.database.run("UPDATE images SET record = x'00' WHERE id = ?", bad.id);
  await bring("c");
  expect(names()).toEqual(["bad", "c"]);
});

test("without a limit, and below it, nothing is looked at", async () => {
  for (const config of ["", 'store-limit = "1g"']) {
    using store = world(config);
    const { bring, names, host } = store;
    for (const name of ["a", "b", "c"]) await bring(name);
    expect([names(), host.warnings]).toEqual([["a", "b", "c"], []]);
  }
});

test("a clock that goes back makes no old image of a young one", async () => {
  using store = world();
  const { host, bring, names } = store;
  await bring("a");
  host.database.run("UPDATE image_uses SET used = used + 1000000000");
  await bring("b");
  await bring("c");
  expect(names()).toEqual(["b", "c"]);
});

test("a limit is told as it is written", () => {
  const texts = [20 * 1024 ** 3, 1536 * 1024, 1000, 1024 ** 4].map(limitText);
  expect(texts).toEqual(["20g", "1536k", "1000", "1t"]);
});
