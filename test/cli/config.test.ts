/** The configuration file through the executable: which one counts, mirrors, and what a mistake in it says. */
import { expect } from "bun:test";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { FakeRegistry, type TestImage, type Wire } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { contentOf, fileLayer, imageOf, storeIsEmpty, userConfig } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true });

const image = (): TestImage => imageOf([fileLayer("a", 300_000), fileLayer("b", 1000)]);
const blobs = /GET .*\/blobs\//;

test("--config instead of the user's file, which is in $XDG_CONFIG_HOME or ~/.config", async () => {
  await using host = await testHost();
  const driver = async (args: string[], env = {}) =>
    (await host.ok([...args, "info", "-f", "{{.Driver}}"], { env })).trim();
  userConfig(host, 'storage-driver = "copy"\n');
  expect(await driver([])).toBe("copy");
  const other = join(host.dir, "other.toml");
  writeFileSync(other, 'storage-driver = "overlay"\n');
  expect(await driver(["--config", other])).toBe("overlay");
  expect(await driver([], { RT_STORAGE_DRIVER: "overlay" })).toBe("overlay");
  expect(await driver(["--storage-driver", "copy"], { RT_STORAGE_DRIVER: "overlay" })).toBe("copy");
  const home = join(host.dir, "other-home");
  mkdirSync(join(home, ".config/rt"), { recursive: true });
  writeFileSync(join(home, ".config/rt/config.toml"), 'storage-driver = "overlay"\n');
  expect(await driver([], { HOME: home, XDG_CONFIG_HOME: "" })).toBe("overlay");
});

const mistakes: [string, string][] = [
  ['storage-drivr = "x"', 'unknown key "storage-drivr"; did you mean storage-driver?'],
  [
    '[registries."a.b"]\nmirors = []',
    'unknown key "registries.\\"a.b\\".mirors"; did you mean registries."a.b".mirrors?',
  ],
  ['[registries."a.b"]\ninsecure = 1', 'registries."a.b".insecure must be true or false'],
  [
    'max-layer-size = "huge"',
    'max-layer-size must be a number of bytes, or one with k, m, g or t such as "64g"',
  ],
  ['hooks-dirs = ["hooks.d"]', 'hooks-dirs: "hooks.d" must be an absolute path'],
  ["hooks = 1", "hooks must be tables, [[hooks]]"],
  ["registry-timeout = 0", "registry-timeout must be a number of seconds, at most 3600"],
  ["a = [", ""],
];
for (const [text, why] of mistakes) {
  test(`a mistake is one line that names file and key: ${JSON.stringify(text)}`, async () => {
    await using host = await testHost();
    const path = userConfig(host, text);
    const { code, stdout, stderr } = await host.rt(["pull", "127.0.0.1:1/x"]);
    expect(stdout).toBe("");
    expect(oneLine(stderr)).toStartWith(`config file ${path}: ${why}`);
    expect(code).toBe(125);
  });
}

test("the file of --config must be there", async () => {
  await using host = await testHost();
  const { code, stderr } = await host.rt(["--config", "/none/config.toml", "pull", "x"]);
  expect(oneLine(stderr)).toBe("config file /none/config.toml does not exist");
  expect(code).toBe(125);
});

interface Mirrored extends AsyncDisposable {
  host: TestHost;
  mirror: FakeRegistry;
  registry: FakeRegistry;
  name: string;
}

/** A registry and a mirror of it with the same image, and a host that is told of both. */
async function mirrored(served = image()): Promise<Mirrored> {
  const stack = new AsyncDisposableStack();
  const [host, mirror, registry] = [await testHost(), await FakeRegistry.start(), await FakeRegistry.start()];
  for (const each of [host, mirror, registry]) stack.use(each);
  userConfig(host, `[registries."${registry.host}"]\nmirrors = ["http://${mirror.host}"]\n`);
  mirror.push("team/app", "1", served);
  const name = registry.push("team/app", "1", served);
  return { host, mirror, registry, name, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("a mirror is asked first, and is enough", async () => {
  await using world = await mirrored();
  await world.host.ok(["pull", "-q", world.name]);
  expect(world.registry.requests).toEqual([]);
  expect(world.mirror.seen(blobs)).toHaveLength(3);
});

test("a mirror without the image, or that is down, is passed over", async () => {
  await using world = await mirrored();
  world.mirror.always(/manifests/, (_, wire) => wire.reply(404, {}, "{}"));
  await world.host.ok(["pull", "-q", world.name]);
  expect(world.registry.seen(/manifests/)).toHaveLength(1);
  await using other = await mirrored();
  await other.mirror[Symbol.asyncDispose]();
  const { code, stderr } = await other.host.rt(["pull", "-q", other.name]);
  expect(oneLine(stderr)).toMatch(
    /^mirror 127\.0\.0\.1:\d+ is left out: cannot reach .*: connection refused/,
  );
  expect(code).toBe(0);
});

test("a mirror that sends other bytes of the right length is left out, and the registry's count", async () => {
  await using world = await mirrored();
  world.mirror.always(blobs, (request, wire) => {
    // The config as it is, so that the lie is in a layer.
    const length = world.registry.blob(request.path.split("/").at(-1)!).length;
    if (length < 1000) world.mirror.serve(request, wire);
    else wire.reply(200, {}, new Uint8Array(length).fill(7));
  });
  const { code, stderr } = await world.host.rt(["pull", "-q", world.name]);
  expect(oneLine(stderr)).toMatch(
    /^mirror 127\.0\.0\.1:\d+ is left out: what it sent for sha256:[0-9a-f]{64} is something else$/,
  );
  expect(code).toBe(0);
  expect(contentOf(world.host)).toHaveLength(4);
});

test("a mirror that breaks off: the registry gives the rest, from there", async () => {
  await using world = await mirrored();
  const breakOff = async (wire: Wire, bytes: Uint8Array) => {
    wire.head(200, { "Content-Length": String(bytes.length) });
    wire.socket.write(bytes.subarray(0, 200_000));
    const ingest = join(world.host.root, "content/ingest", digestOf(bytes).slice("sha256:".length));
    await until("it is on disk", () => statSync(ingest, { throwIfNoEntry: false })?.size === 200_000);
    wire.socket.end();
  };
  world.mirror.always(/GET .*\/blobs\//, (request, wire) => {
    const bytes = world.registry.blob(request.path.split("/").at(-1)!);
    if (bytes.length < 100_000) world.mirror.serve(request, wire);
    else if (request.headers.get("range")) wire.reply(500, {}, "{}");
    else void breakOff(wire, bytes);
  });
  const { code, stderr } = await world.host.rt(["pull", "-q", world.name]);
  expect(oneLine(stderr)).toMatch(/is left out: .* answers 500/);
  expect(code).toBe(0);
  const ranges = world.registry.seen(blobs).map(({ headers }) => headers.get("range"));
  expect(ranges).toContain("bytes=200000-");
});

test("a mirror in plain http that is not this machine is refused", async () => {
  await using host = await testHost();
  userConfig(host, '[registries."r.example"]\nmirrors = ["http://m.example"]\n');
  const { code, stderr } = await host.rt(["pull", "r.example/x"]);
  expect(oneLine(stderr)).toBe(
    'mirror http://m.example is plain http: set insecure = true under [registries."m.example"] to accept that',
  );
  expect(code).toBe(125);
  expect(await storeIsEmpty(host)).toEqual([]);
});
