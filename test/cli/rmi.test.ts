/** Removing images: by every kind of name, in docker's words, and beside others who pull and run. */
import { afterAll, expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { LayoutWriter, tarLayer } from "../support/layout.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { contentOf, snapshotsOf, storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry", "tar", "busybox"] });

let registry: Registry;
let dir: string;
const digests: Record<string, string> = {};
const tags = ["1", "2", "child"] as const;

/** "1" is busybox, "child" has a layer more, "2" is the same image as "1". */
beforeAll(async () => {
  registry = await startRegistry();
  dir = await mkdtemp(join(scratchDirectory(), "rt-rmi-"));
  const busybox = await busyboxLayout();
  const base = await baseLayer(busybox);
  await Bun.write(join(dir, "tree/more"), "more");
  const more = await tarLayer(join(dir, "tree"), ["--owner=0", "--group=0"]);
  const config = { Cmd: ["sh"], Env: ["PATH=/bin"] };
  const layout = new LayoutWriter(join(dir, "layout"));
  await layout.image("1", { layers: [base], config });
  await layout.image("2", { layers: [base], config });
  await layout.image("child", { layers: [base, more], config });
  await layout.close();
  for (const tag of tags) digests[tag] = await pushLayout(join(dir, "layout"), tag, registry, `app:${tag}`);
  await pushLayout(join(dir, "layout"), "1", registry, "other:1");
}, 240_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  if (dir) await rm(dir, { recursive: true, force: true });
});

async function baseLayer(layout: string): Promise<Uint8Array> {
  const index = await Bun.file(join(layout, "index.json")).json();
  const blob = (digest: string) => Bun.file(join(layout, "blobs", digest.replace(":", "/")));
  const manifest = await blob(index.manifests[0].digest).json();
  return Bun.gunzipSync(await blob(manifest.layers[0].digest).bytes());
}

const app = (tag: string) => `${registry.address}/app:${tag}`;

async function pulled(...names: string[]): Promise<TestHost> {
  const host = await testHost();
  for (const name of names) await host.ok(["pull", "-q", name]);
  return host;
}

async function idOf(host: TestHost, name: string): Promise<string> {
  return (await host.ok(["image", "inspect", "-f", "{{.Id}}", name])).trim();
}

test("one name, and all that it held", async () => {
  await using host = await pulled(app("child"));
  const id = await idOf(host, app("child"));
  const lines = (await host.ok(["rmi", app("child")])).trimEnd().split("\n");
  expect(lines.slice(0, 3)).toEqual([
    `Untagged: ${app("child")}`,
    `Untagged: ${registry.address}/app@${digests.child}`,
    `Deleted: ${id}`,
  ]);
  expect(lines.slice(3)).toHaveLength(2);
  for (const line of lines.slice(3)) expect(line).toMatch(/^Deleted: sha256:[0-9a-f]{64}$/);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("by the beginning of an id, by the whole, by digest", async () => {
  await using host = await pulled(app("1"));
  await host.ok(["rmi", (await idOf(host, app("1"))).slice(7, 19)]);
  expect(await storeIsEmpty(host)).toEqual([]);
  await host.ok(["pull", "-q", app("1")]);
  await host.ok(["image", "rm", await idOf(host, app("1"))]);
  expect(await storeIsEmpty(host)).toEqual([]);
  const byDigest = `${registry.address}/app@${digests.child}`;
  await host.ok(["pull", "-q", byDigest]);
  expect(await host.ok(["rmi", byDigest])).toContain(`Untagged: ${byDigest}\n`);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("one of two names: the image stays; of two repositories an id wants -f", async () => {
  await using host = await pulled(app("1"), app("2"), `${registry.address}/other:1`);
  expect(await host.ok(["rmi", app("2")])).toBe(`Untagged: ${app("2")}\n`);
  const id = await idOf(host, app("1"));
  const { stderr, code } = await host.rt(["rmi", id]);
  expect(oneLine(stderr)).toBe(
    `conflict: unable to delete ${id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
  );
  expect(code).toBe(1);
  await host.ok(["rmi", "-f", id]);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("shared layers stay with who needs them", async () => {
  await using host = await pulled(app("1"), app("child"));
  const lines = (await host.ok(["rmi", app("child")])).trimEnd().split("\n");
  expect(lines.filter((line) => line.startsWith("Deleted: "))).toHaveLength(2); // the image and its own layer
  expect(await host.ok(["run", "--rm", app("1"), "echo", "still"])).toBe("still\n");
  expect(snapshotsOf(host).filter((path) => path.includes("/committed/"))).toHaveLength(1);
});

test("several names: what fails is told, the others go", async () => {
  await using host = await pulled(app("1"), app("child"));
  const { stdout, stderr, code } = await host.rt(["rmi", app("1"), "nosuch", app("child")]);
  expect(stdout.match(/^Untagged: /gm)).toHaveLength(4);
  expect(oneLine(stderr)).toBe("No such image: nosuch");
  expect(code).toBe(1);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("-f: what is not there is told, and is no failure", async () => {
  await using host = await pulled(app("1"));
  const forced = await host.rt(["rmi", "-f", "nosuch"]);
  expect([oneLine(forced.stderr), forced.stdout, forced.code]).toEqual(["No such image: nosuch", "", 0]);
  const mixed = await host.rt(["rmi", "-f", "nosuch", app("1")]);
  expect([mixed.stdout.includes("Untagged: "), mixed.code]).toEqual([true, 0]);
});

test("in use: docker's words; forced, a stopped container loses it, a running one keeps it", async () => {
  await using host = await pulled(app("1"));
  const id = (await idOf(host, app("1"))).slice(7, 19);
  await host.ok(["run", "--name", "stopped", app("1"), "true"]);
  const container = (await host.ok(["ps", "-aq"])).trim();
  const byName = await host.rt(["rmi", app("1")]);
  expect(oneLine(byName.stderr)).toBe(
    `conflict: unable to remove repository reference "${app("1")}" (must force) - container ${container} is using its referenced image ${id}`,
  );
  expect(byName.code).toBe(1);
  const byId = await host.rt(["rmi", id]);
  expect(oneLine(byId.stderr)).toBe(
    `conflict: unable to delete ${id} (must be forced) - image is being used by stopped container ${container}`,
  );
  await using sleeper = host.spawn([
    "run",
    "--rm",
    "--name",
    "running",
    app("1"),
    "sh",
    "-c",
    "echo up; sleep 1000",
  ]);
  await sleeper.stdout.waitFor("up");
  const running = (await host.ok(["ps", "-q"])).trim();
  const forced = await host.rt(["rmi", "-f", id]);
  expect(oneLine(forced.stderr)).toBe(
    `conflict: unable to delete ${id} (cannot be forced) - image is being used by running container ${running}`,
  );
  // By name, forced: the image is left nameless while somebody runs.
  expect(await host.ok(["rmi", "-f", app("1")])).toStartWith(`Untagged: ${app("1")}\n`);
  expect(await host.ok(["images", "--filter", "dangling=true", "-q"])).toBe(`${id}\n`);
  expect(await host.ok(["exec", "running", "cat", "/etc/passwd"])).toContain("root:x:0:0");
  await host.ok(["kill", "running"]);
  await sleeper.exited;
  await host.ok(["rmi", "-f", id]);
  // The stopped container's layers are still there for it, until it goes.
  expect(snapshotsOf(host).filter((path) => path.includes("/committed/"))).toHaveLength(1);
  await host.ok(["rm", "stopped"]);
});

test("twenty at once against running containers: none is hurt", async () => {
  await using host = await pulled(app("1"), app("2"), app("child"));
  await using sleeper = host.spawn([
    "run",
    "--rm",
    "--name",
    "up",
    app("1"),
    "sh",
    "-c",
    "echo up; sleep 1000",
  ]);
  await sleeper.stdout.waitFor("up");
  const id = await idOf(host, app("1"));
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      host.rt(["rmi", "-f", [app("1"), id, app("2"), app("child")][index % 4]!]),
    ),
  );
  for (const { stderr, code } of results) {
    expect(code === 0 ? stderr : oneLine(stderr)).toMatch(/^$|No such image|conflict: /);
    expect([0, 1]).toContain(code);
  }
  expect(await host.ok(["exec", "up", "echo", "alive"])).toBe("alive\n");
  expect(await host.ok(["images", "-q", "--no-trunc"])).toBe(`${id}\n`);
  await host.ok(["kill", "up"]);
  await sleeper.exited;
  await host.ok(["rmi", "-f", id]);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("pulls and removals at once: each does what it says, and the store is whole in the end", async () => {
  await using host = await testHost();
  const jobs = Array.from({ length: 24 }, (_, index) => {
    const tag = tags[index % 3]!;
    return host.rt(index % 2 === 0 ? ["pull", "-q", app(tag)] : ["rmi", "-f", app(tag)], {
      timeoutMs: 60_000,
    });
  });
  for (const { stderr, code } of await Promise.all(jobs)) {
    const lines = stderr
      .split("\n")
      .filter((line) => line !== "" && !line.includes("waiting for another rt"));
    expect(lines.join("\n")).toMatch(/^$|^rt: No such image: [^\n]*$/);
    expect([0, 1]).toContain(code);
  }
  for (const tag of tags) await host.ok(["pull", "-q", app(tag)]);
  for (const tag of tags) expect(await host.ok(["run", "--rm", app(tag), "echo", "ok"])).toBe("ok\n");
  expect(contentOf(host).filter((path) => path.startsWith("ingest/"))).toEqual([]);
  await host.ok(["rmi", "-f", ...tags.map(app)]);
  expect(await storeIsEmpty(host)).toEqual([]);
}, 120_000);

test("layers of another storage driver go too", async () => {
  await using host = await testHost();
  await host.ok(["--storage-driver", "copy", "pull", "-q", app("child")]);
  expect(snapshotsOf(host)).toHaveLength(2);
  await host.ok(["--storage-driver", "overlay", "rmi", app("child")]);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("once a day a pull collects what broke off and nobody went on with", async () => {
  await using host = await pulled(app("1"));
  const ingest = join(host.root, "content/ingest", "0".repeat(64));
  await Bun.write(ingest, "half of something");
  await run(["touch", "-d", "3 days ago", ingest]);
  await host.ok(["pull", "-q", app("1")]);
  expect(await Bun.file(ingest).exists()).toBe(true);
  await run(["touch", "-d", "25 hours ago", join(host.root, "collect.lock")]);
  await host.ok(["pull", "-q", app("1")]);
  expect(await Bun.file(ingest).exists()).toBe(false);
  expect(await host.ok(["run", "--rm", app("1"), "echo", "ok"])).toBe("ok\n");
});
