/** Pushes to a real registry. What is said is said in docker's words. */
import { afterAll, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { FakeRegistry, Wire } from "../support/fake-registry.ts";
import { testHost } from "../support/host.ts";
import { LayoutWriter } from "../support/layout.ts";
import { foreignLayer } from "../support/odd-images.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive } from "../support/tar.ts";
import { startTokenServer } from "../support/token-server.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry"] });

let registry: Registry;
let layout: string;

beforeAll(async () => {
  registry = await startRegistry();
  layout = await mkdtemp(join(scratchDirectory(), "rt-push-"));
  const writer = new LayoutWriter(layout);
  const layers = ["one", "two"].map((content) => archive({ name: content, content }));
  await writer.image("base", { layers, architecture: "amd64" });
  await writer.image("app", {
    layers: [...layers, archive({ name: "c", content: "c" })],
    architecture: "amd64",
  });
  const large = [archive({ name: "large", content: noise(6_000_000) })];
  await writer.image("large", { layers: large, architecture: "amd64" });
  await writer.close();
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  if (layout) await rm(layout, { recursive: true, force: true });
});

function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

const lineOf = (words: string) => new RegExp(`^[0-9a-f]{12}: ${words}$`);

test("docker's lines: pushed, there already, mounted from where it was pulled; pulled again it has its digest", async () => {
  await using host = await testHost();
  const base = `${registry.address}/team/base`;
  await host.ok(["pull", "-q", `oci:${layout}:base`]);
  const [id] = (await host.ok(["images", "-q"])).split("\n") as [string];
  const lines = (await host.ok(["push", id, base])).trimEnd().split("\n");
  expect(lines.slice(0, 2)).toEqual(["Using default tag: latest", `The push refers to repository [${base}]`]);
  for (const line of lines.slice(2, 4)) expect(line).toMatch(lineOf("Preparing"));
  for (const line of lines.slice(4, 6)) expect(line).toMatch(lineOf("Pushed"));
  const [, digest] = /^latest: digest: (sha256:[0-9a-f]{64}) size: [0-9]+$/.exec(lines[6]!)!;
  const again = await host.ok(["push", id, `${base}:latest`]);
  expect(again.match(/: Layer already exists\n/g)).toHaveLength(2);
  expect(await host.ok(["push", "-q", id, `${base}:2`])).toBe(`${base}:2\n`);

  expect(await host.ok(["pull", base])).toContain(`Digest: ${digest}\n`);
  await host.ok(["pull", "-q", `oci:${layout}:app`]);
  const [other] = (await host.ok(["images", "-q"])).split("\n").filter((each) => each && each !== id);
  const app = await host.ok(["push", other!, `${registry.address}/team/app:1`]);
  expect(app.match(/: Mounted from team\/base\n/g)).toHaveLength(2);
  expect(app.match(/: Pushed\n/g)).toHaveLength(1);

  const all = await host.ok(["push", "-a", base]);
  expect(all.split("\n")[0]).toBe(`The push refers to repository [${base}]`);
  expect(all).toContain(`\nlatest: digest: ${digest} size: `);
});

test("a layer that is first compressed for the registry has a bar on a terminal while that lasts", async () => {
  await using host = await testHost();
  await host.ok(["pull", "-q", `oci:${layout}:large`]);
  const [id] = (await host.ok(["images", "-q"])).split("\n") as [string];
  await using terminal = host.pty([
    "push",
    id,
    `${registry.address}/team/large:bar`,
    "--compression",
    "zstd",
  ]);
  expect(await terminal.exited).toBe(0);
  expect(terminal.screen.text).toMatch(/[0-9a-f]{12}: Compressing \[=*> *\] +[0-9.]+[kM]?B\/6MB\r\n/);
  expect(terminal.screen.text).toMatch(/[0-9a-f]{12}: Compressed\r\n.*[0-9a-f]{12}: Pushed\r\n/s);
});

test("what is not here, and what cannot be pushed: docker's words, status 1", async () => {
  await using host = await testHost();
  const name = `${registry.address}/none`;
  const refused = async (words: string[], line: string) => {
    const { code, stderr } = await host.rt(["push", ...words]);
    expect([stderr, code]).toEqual([`rt: ${line}\n`, 1]);
  };
  await refused([`${name}:1`], `An image does not exist locally with the tag: ${name}`);
  await refused(["-a", name], `An image does not exist locally with the tag: ${name}`);
  await refused(["-a", `${name}:1`], "tag can't be used with --all-tags/-a");
  await refused([`${name}@sha256:${"0".repeat(64)}`], "cannot push a digest reference");
  await host.ok(["pull", "-q", `oci:${layout}:base`]);
  const [id] = (await host.ok(["images", "-q"])).split("\n") as [string];
  await host.ok(["push", "-q", id, `${name}:1`]);
  await host.ok(["pull", "-q", `${name}:1`]);
  await refused([`${name}:2`], `tag does not exist: ${name}:2`);
  const { stdout, stderr } = await host.rt(["push", `${name}:1`, "--compression", "lzma"]);
  expect([stdout, stderr]).toEqual(["", expect.stringContaining("--compression is gzip, zstd or")]);
});

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  test(`${signal} in the middle of an upload: the next push goes on from there`, async () => {
    await using host = await testHost();
    await using fake = await FakeRegistry.start();
    await host.ok(["pull", "-q", `oci:${layout}:large`]);
    const [id] = (await host.ok(["images", "-q"])).split("\n") as [string];
    const name = `${fake.host}/team/large:1`;
    const arrived = Promise.withResolvers<void>();
    fake.early(
      /^PATCH/,
      ({ path, bytes }) => {
        fake.uploads.take(path, bytes.subarray(0, 1_000_000));
        arrived.resolve();
      },
      1_000_000,
    );
    const pushing = host.spawn(["push", id, name]);
    await arrived.promise;
    pushing.kill(signal);
    expect(await pushing.exited).toBe(signal === "SIGKILL" ? 137 : 130);
    await host.ok(["push", id, name]);
    const ranges = fake.seen(/^PATCH/).map(({ headers }) => headers.get("content-range")?.split("-")[0]);
    expect(ranges).toEqual(["0", "1000000"]);
    expect(fake.manifest("team/large", "1")).toBeDefined();
  });
}

/** Requests that a push is killed at: the answer never comes. */
const steps = [
  { step: "an upload begins", request: /^POST/ },
  { step: "an upload ends", request: /^PUT .*\/blobs\// },
  { step: "the tag is set", request: /^PUT .*\/manifests\// },
];

for (const { step, request } of steps) {
  for (const isDone of [false, true]) {
    test(`killed where ${step}, ${isDone ? "and it does" : "and it does not"}: the next push makes it whole`, async () => {
      await using host = await testHost();
      await using fake = await FakeRegistry.start();
      await host.ok(["pull", "-q", `oci:${layout}:base`]);
      const id = (await host.ok(["images", "-q"])).trim();
      const name = `${fake.host}/team/base:1`;
      const arrived = Promise.withResolvers<void>();
      fake.once(request, (seen) => {
        if (isDone) fake.serve(seen, new Wire({ write: () => true } as unknown as Socket));
        arrived.resolve();
      });
      const pushing = host.spawn(["push", id, name]);
      await arrived.promise;
      pushing.kill("SIGKILL");
      expect(await pushing.exited).toBe(137);
      const said = await host.ok(["push", id, name]);
      const { bytes } = fake.manifest("team/base", "1")!;
      expect(said).toContain(`\n1: digest: ${digestOf(bytes)} size: ${bytes.length}\n`);
      for (const { digest } of JSON.parse(Buffer.from(bytes).toString()).layers)
        expect(digestOf(fake.blob(digest))).toBe(digest);
      expect(readdirSync(join(host.root, "uploads"))).toEqual([]);
    });
  }
}

test("Basic: with a login it goes, without one and with a wrong one it is one line", async () => {
  await using guarded = await startRegistry({ auth: { user: "u", password: "canary-91c" } });
  await using host = await testHost();
  await host.ok(["pull", "-q", `oci:${layout}:base`]);
  const [id] = (await host.ok(["images", "-q"])).split("\n") as [string];
  const name = `${guarded.address}/team/web:1`;
  const authFile = join(host.dir, "auth.json");
  host.env.REGISTRY_AUTH_FILE = authFile;
  const entry = (password: string) => ({ auth: Buffer.from(`u:${password}`).toString("base64") });
  for (const auths of [{}, { [guarded.address]: entry("canary-91c-wrong") }]) {
    await Bun.write(authFile, JSON.stringify({ auths }));
    const { code, stderr } = await host.rt(["push", id, name]);
    expect(stderr).toMatch(/^rt: access to [^\n]*\/team\/web is denied[^\n]*\n$/);
    expect(stderr).not.toContain("canary");
    expect(code).toBe(125);
  }
  await Bun.write(authFile, JSON.stringify({ auths: { [guarded.address]: entry("canary-91c") } }));
  expect(await host.ok(["push", id, name])).toMatch(/\n1: digest: sha256:[0-9a-f]{64} size: [0-9]+\n$/);
});

test("Bearer: one token for all of a push, one more for a mount; who may not push is told so", async () => {
  await using tokens = startTokenServer({
    writer: { password: "canary-7f2", actions: ["pull", "push"] },
    reader: { password: "canary-7f3", actions: ["pull"] },
  });
  await using guarded = await startRegistry({ token: tokens.forRegistry });
  await using host = await testHost();
  await host.ok(["pull", "-q", `oci:${layout}:base`]);
  const id = (await host.ok(["images", "-q"])).trim();
  const authFile = join(host.dir, "auth.json");
  host.env.REGISTRY_AUTH_FILE = authFile;
  const logIn = (words?: string) => {
    const auths = words ? { [guarded.address]: { auth: Buffer.from(words).toString("base64") } } : {};
    return Bun.write(authFile, JSON.stringify({ auths }));
  };
  const name = `${guarded.address}/team/base`;
  for (const words of [undefined, "reader:canary-7f3", "writer:canary-7f3"]) {
    await logIn(words);
    const { code, stdout, stderr } = await host.rt(["push", id, `${name}:1`]);
    expect(stderr).toMatch(/^rt: access to [^\n]*\/team\/base is denied[^\n]*\n$/);
    expect([code, (stdout + stderr).includes("canary")]).toEqual([125, false]);
  }
  await logIn("writer:canary-7f2");
  tokens.asked.length = 0;
  const pushed = await host.ok(["push", id, `${name}:1`]);
  expect(tokens.asked).toEqual([{ user: "writer", scopes: ["repository:team/base:pull,push"] }]);
  await host.ok(["tag", id, `${name}:1`]);
  tokens.asked.length = 0;
  await host.ok(["push", `${name}:1`]);
  const other = await host.ok(["push", id, `${guarded.address}/team/other:1`]);
  expect(other.match(/: Mounted from team\/base\n/g)).toHaveLength(2);
  const own = "repository:team/other:pull,push";
  expect(tokens.asked.map(({ scopes }) => scopes)).toContainEqual([own, "repository:team/base:pull"]);
  expect(other.split("\n").at(-2)).toBe(pushed.split("\n").at(-2)!);
});

test("a layer that is licensed elsewhere stays here where a registry is pushed to, and goes into a directory", async () => {
  await using host = await testHost();
  await using fake = await FakeRegistry.start();
  const image = await foreignLayer();
  await host.ok(["pull", "-q", `oci:${image.layout}:${image.tag}`]);
  const id = (await host.ok(["images", "-q"])).trim();
  await host.ok(["push", id, `${fake.host}/team/foreign:1`]);
  const manifest = fake.manifest("team/foreign", "1")!.bytes;
  const [own, foreign] = JSON.parse(Buffer.from(manifest).toString()).layers;
  expect(foreign.urls).toEqual(["https://licensed.invalid/layer.tar.gz"]);
  expect(digestOf(fake.blob(own.digest))).toBe(own.digest);
  expect(fake.requests.filter(({ path }) => path.includes(foreign.digest))).toEqual([]);
  await host.ok(["push", id, `oci:${host.dir}/out:1`]);
  const blob = Bun.file(join(host.dir, "out/blobs", foreign.digest.replace(":", "/")));
  expect(digestOf(await blob.bytes())).toBe(foreign.digest);
});
