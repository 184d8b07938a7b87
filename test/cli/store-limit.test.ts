/** `store-limit` of config.toml: what comes sends those images away that were used longest ago. */
import { expect } from "bun:test";
import { join } from "node:path";
import { type TestHost, testHost } from "../support/host.ts";
import { LayoutWriter } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { archive } from "../support/tar.ts";
import { contentOf, fileLayer, snapshotsOf, userConfig } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true });

/** Layouts a, b, c and d: images of a megabyte each, which take two, and one that keeps itself. */
async function world(limit = "5m"): Promise<TestHost> {
  const host = await testHost();
  userConfig(host, `store-limit = "${limit}"\n`);
  for (const name of ["a", "b", "c", "d"]) {
    const layout = new LayoutWriter(join(host.dir, name));
    const config = name === "d" ? { Labels: { "rt.keep": "true" } } : {};
    const layers = [fileLayer(name, 1_000_000), archive({ name: "more", content: name })];
    await layout.image("latest", { layers, config, compression: "plain" });
    await layout.close();
  }
  return host;
}

const pull = (host: TestHost, name: string) => host.rt(["pull", "-q", `oci:${join(host.dir, name)}`]);
const names = async (host: TestHost) =>
  (await host.ok(["images", "--format", "{{.Repository}}"])).split("\n").filter(Boolean).sort();
const line = (name: string) =>
  `image localhost/${name}:latest was removed: the store is over its limit of 5m`;

test("a pull takes the one that was used longest ago away, says so, and nothing of it is left", async () => {
  await using host = await world();
  await pull(host, "a");
  const alone = [contentOf(host), snapshotsOf(host)];
  await pull(host, "b");
  await host.ok(["rmi", "localhost/b"]);
  expect([contentOf(host), snapshotsOf(host)]).toEqual(alone);
  await pull(host, "b");
  // A container that was made is a use.
  await host.ok(["rm", (await host.ok(["create", "--network", "none", "localhost/a", "x"])).trim()]);
  const third = await pull(host, "c");
  expect([oneLine(third.stderr), third.code]).toEqual([line("b"), 0]);
  expect(await names(host)).toEqual(["localhost/a", "localhost/c"]);
  const events = ["events", "--since", "1h", "--until", "0s", "-f", "event=delete", "--format", "{{.Type}}"];
  expect(await host.ok(events)).toBe("image\nimage\n");
  const usage = await host.ok(["system", "df", "--format", "{{.Type}} {{.Reclaimable}}"]);
  expect(usage).toMatch(/^Images 4\.\d+MB \(100%\)\n/);
  expect(await host.ok(["info", "-f", "{{.StoreLimit}}"])).toBe(`${5 * 1024 ** 2}\n`);
  expect(await host.ok(["info"])).toContain("\nStore Limit: 5MiB\n");
});

test("one that a container has stays, one with the label or the tag rt.keep, and what has just come", async () => {
  await using host = await world();
  for (const name of ["a", "d", "b"]) await pull(host, name);
  expect(await names(host)).toEqual(["localhost/b", "localhost/d"]);
  await host.ok(["tag", "localhost/b", "localhost/b:rt.keep"]);
  const { code, stderr } = await pull(host, "c");
  expect([code, oneLine(stderr)]).toEqual([
    0,
    "the store is over its limit of 5m, and no other image may go",
  ]);
  expect(await names(host)).toEqual(["localhost/b", "localhost/b", "localhost/c", "localhost/d"]);
  const container = (await host.ok(["create", "--network", "none", "localhost/c", "x"])).trim();
  await host.ok(["untag", "localhost/b", "localhost/b:rt.keep"]);
  expect((await pull(host, "a")).stderr).toBe(
    `rt: ${line("b")}\nrt: the store is over its limit of 5m, and no other image may go\n`,
  );
  expect(await names(host)).toEqual(["localhost/a", "localhost/c", "localhost/d"]);
  await host.ok(["rm", container]);
});

test("a commit counts as well as a pull", async () => {
  await using host = await world();
  for (const name of ["a", "b"]) await pull(host, name);
  const container = (await host.ok(["create", "--network", "none", "localhost/b", "x"])).trim();
  const big = join(host.dir, "big");
  await Bun.write(big, crypto.getRandomValues(new Uint8Array(65_536)).toHex().repeat(8));
  await host.ok(["cp", big, `${container}:/big`]);
  const { code, stderr } = await host.rt(["commit", container, "team/new"]);
  expect([code, oneLine(stderr)]).toEqual([0, line("a")]);
  expect(await names(host)).toEqual(["localhost/b", "team/new"]);
  await host.ok(["rm", container]);
});

test("a limit that is none", async () => {
  for (const limit of ["lots", "", "-1g", "0"]) {
    await using host = await world(limit);
    const { code, stderr } = await pull(host, "a");
    expect([code, oneLine(stderr)]).toEqual([
      125,
      expect.stringContaining("store-limit must be a number of bytes, or one with k, m, g or t"),
    ]);
  }
});
