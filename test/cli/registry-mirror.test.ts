/** `rt registry serve --upstream`: what upstream has, once, and for as long as it is wanted. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { FakeRegistry, type Wire, withIndex } from "../support/fake-registry.ts";
import { testHost } from "../support/host.ts";
import { shareOf } from "../support/idle.ts";
import { residentKiB } from "../support/memory.ts";
import { startProxy } from "../support/proxy.ts";
import { needs } from "../support/root.ts";
import { serveRegistry } from "../support/served.ts";
import { until } from "../support/wait.ts";
import { contentOf, fileLayer, imageOf, userConfig } from "./image-world.ts";

const { test } = needs({ root: true });

test("what is missing is fetched once, however many ask, and is here when upstream is away", async () => {
  await using host = await testHost();
  const image = imageOf([fileLayer("big", 3 << 20)]);
  const layer = image.layers[0]!;
  const path = `/v2/library/app/blobs/${digestOf(layer)}`;
  await using upstream = await FakeRegistry.start();
  upstream.push("library/app", "1", image);
  await using served = await serveRegistry(host, ["--upstream", upstream.url]);
  // Of what no manifest names that was asked for, nobody knows how large it may be.
  expect((await fetch(served.url + path)).status).toBe(404);
  const manifest = await fetch(`${served.url}/v2/library/app/manifests/1`);
  expect(manifest.headers.get("docker-content-digest")).toBe(image.manifestDigest);
  const halfway = Promise.withResolvers<void>();
  upstream.once(/GET .*\/blobs\//, (_, wire) => {
    wire.head(200, { "Content-Length": String(layer.length) });
    wire.socket.write(layer.subarray(0, 1 << 20));
    void halfway.promise.then(() => wire.socket.write(layer.subarray(1 << 20)));
  });
  const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(served.url + path)));
  const part = await fetch(served.url + path, { headers: { Range: "bytes=10-19" } });
  expect(Buffer.from(await part.bytes()).equals(layer.subarray(10, 20))).toBe(true);
  halfway.resolve();
  for (const answer of answers) expect(Buffer.from(await answer.bytes()).equals(layer)).toBe(true);
  expect(upstream.seen(/GET .*\/blobs\//).length).toBe(1);
  expect(contentOf(host)).toContain(`blobs/${digestOf(layer).slice(7)}`);
  // Cached, and not an image here; not to be pushed to.
  expect(await host.ok(["images", "-q"])).toBe("");
  expect((await fetch(`${served.url}/v2/library/app/blobs/uploads/`, { method: "POST" })).status).toBe(405);
  await upstream[Symbol.asyncDispose]();
  expect((await fetch(`${served.url}/v2/library/app/manifests/1`)).status).toBe(200);
  expect((await fetch(`${served.url}/v2/library/app/manifests/${image.manifestDigest}`)).status).toBe(200);
  expect((await fetch(served.url + path)).status).toBe(200);
  expect((await fetch(`${served.url}/v2/library/app/manifests/2`)).status).toBe(503);
});

/** What a server may take beyond what it took when nothing had been asked of it, in KiB. */
const growthMax = 64 << 10;

test("an upstream that sends without end, and askers that are gone, cost neither memory nor time", async () => {
  await using host = await testHost();
  const image = imageOf([fileLayer("big", 8 << 20)]);
  const layer = image.layers[0]!;
  await using upstream = await FakeRegistry.start();
  upstream.push("library/app", "1", image);
  await using served = await serveRegistry(host, ["--upstream", upstream.url, "-q"]);
  await fetch(`${served.url}/v2/library/app/manifests/1`);
  const { pid } = served.process;
  const before = residentKiB(pid);
  let sent = 0;
  let open = 0;
  const endless = (_: unknown, wire: Wire) => {
    open++;
    wire.socket.once("close", () => open--);
    wire.head(200, {});
    const more = () => {
      while (!wire.socket.destroyed && wire.socket.write(Buffer.alloc(1 << 20))) sent++;
    };
    wire.socket.on("drain", more);
    more();
  };
  upstream.always(/GET .*\/blobs\/|manifests\/endless/, endless);
  expect((await fetch(`${served.url}/v2/library/app/manifests/endless`)).ok).toBe(false);
  const url = `${served.url}/v2/library/app/blobs/${digestOf(layer)}`;
  const gone = new AbortController();
  const asking = Array.from({ length: 8 }, async () => (await fetch(url, { signal: gone.signal })).bytes());
  for (const each of await Promise.allSettled(asking)) expect(each.status).toBe("rejected");
  await until("upstream is left alone", () => open === 0);
  const after = sent;

  // Half of it comes, those who asked go, and upstream with them.
  upstream.always(/GET .*\/blobs\//, (_, wire) => {
    wire.head(200, { "Content-Length": String(layer.length) });
    wire.socket.write(layer.subarray(0, 4 << 20));
  });
  await Promise.all(Array.from({ length: 8 }, () => fetch(url, { signal: gone.signal })));
  gone.abort();
  await upstream[Symbol.asyncDispose]();
  await until("it does nothing", async () => (await shareOf(pid)) < 0.05);
  expect(residentKiB(pid) - before).toBeLessThan(growthMax);
  expect(sent).toBe(after);
});

test("of a mirror only what is upstream's is asked by containerd's ns", async () => {
  await using host = await testHost();
  await using upstream = await FakeRegistry.start();
  const image = imageOf([fileLayer("a", 10)]);
  upstream.push("library/app", "1", image);
  await using served = await serveRegistry(host, ["--upstream", upstream.url]);
  const asked = (path: string) => fetch(`${served.url}/v2/library/app/${path}`).then(({ status }) => status);
  const own = `?ns=${upstream.host}`;
  expect(await asked(`manifests/1${own}`)).toBe(200);
  expect(await asked(`blobs/${digestOf(image.layers[0]!)}${own}`)).toBe(200);
  const before = upstream.requests.length;
  for (const other of ["docker.io", "", "ghcr.io"]) expect(await asked(`manifests/1?ns=${other}`)).toBe(404);
  expect(await asked(`blobs/${digestOf(image.layers[0]!)}?ns=docker.io`)).toBe(404);
  expect(upstream.requests.length).toBe(before);
  // What is no mirror is called what its user likes to call it.
  await host.ok(["pull", "-q", "embed:hello"]);
  await using plain = await serveRegistry(host);
  expect((await fetch(`${plain.url}/v2/embed/manifests/hello?ns=localhost:5001`)).status).toBe(200);
});

test("a mirror of Docker Hub as dockerd and containerd ask it: library/ names, HEAD first, and ns=docker.io", async () => {
  await using host = await testHost();
  userConfig(host, '[registries."docker.io"]\ninsecure = true\n');
  await using hub = await FakeRegistry.start({ tls: true });
  await using proxy = await startProxy(hub.host);
  const image = withIndex(imageOf([fileLayer("a", 1000)]), ["amd64", "arm64"]);
  hub.push("library/app", "1", image);
  hub.push("team/app", "1", image);
  const args = ["--upstream", "https://registry-1.docker.io"];
  await using served = await serveRegistry(host, args, { env: { HTTPS_PROXY: proxy.url } });
  const ask = async (path: string, method = "GET", accept = "") => {
    const answer = await fetch(`${served.url}/v2/${path}`, { method, headers: { Accept: accept } });
    return { status: answer.status, type: answer.headers.get("content-type"), bytes: await answer.bytes() };
  };
  const types = [
    mediaTypes.dockerIndex,
    mediaTypes.ociIndex,
    mediaTypes.dockerManifest,
    mediaTypes.ociManifest,
  ];
  for (const [name, query] of [
    ["library/app", ""],
    ["team/app", "?ns=docker.io"],
  ] as const) {
    expect((await ask("")).status).toBe(200);
    const accept = [...types, "*/*"].join(", ");
    const head = await ask(`${name}/manifests/1${query}`, "HEAD", accept);
    expect([head.status, head.type]).toEqual([200, mediaTypes.ociIndex]);
    for (const { bytes, mediaType } of image.documents) {
      const got = await ask(`${name}/manifests/${digestOf(bytes)}${query}`, "GET", accept);
      expect([got.status, got.type, digestOf(got.bytes)]).toEqual([200, mediaType, digestOf(bytes)]);
    }
    for (const blob of image.blobs) {
      const got = await ask(`${name}/blobs/${digestOf(blob)}${query}`);
      expect([got.status, digestOf(got.bytes)]).toEqual([200, digestOf(blob)]);
    }
  }
  for (const ns of ["ghcr.io", "registry-1.docker.io"])
    expect((await ask(`library/app/manifests/1?ns=${ns}`, "HEAD")).status).toBe(404);
  expect((await ask("app/manifests/1")).status).toBe(200);
  expect((await ask("library/none/manifests/1?ns=docker.io", "HEAD")).status).toBe(404);
});

test("a malformed manifest is that manifest's own trouble; one who does not answer is left alone for a while", async () => {
  await using host = await testHost();
  await using upstream = await FakeRegistry.start();
  upstream.push("library/app", "1", imageOf([fileLayer("a", 10)]));
  upstream.always(/GET .*\/manifests\/bad/, (_, wire) =>
    wire.reply(200, { "Content-Type": mediaTypes.ociManifest }, Buffer.from("{")),
  );
  upstream.always(/GET .*\/manifests\/denied/, (_, wire) => wire.reply(500, {}, Buffer.from("no")));
  upstream.always(/GET .*\/manifests\/cut/, (_, wire) => wire.reset());
  await using served = await serveRegistry(host, ["--upstream", upstream.url]);
  const ask = (tag: string) =>
    fetch(`${served.url}/v2/library/app/manifests/${tag}`).then(({ status }) => status);
  const asked = () => upstream.seen(/^HEAD .*\/manifests\/1/).length;
  const stale = () => {
    using database = new Database(join(host.root, "db.sqlite"));
    database.run("UPDATE repository_tags SET checked = 0");
  };
  expect(await ask("1")).toBe(200);
  for (const [index, tag] of ["bad", "denied"].entries()) {
    expect(await ask(tag)).toBeGreaterThanOrEqual(500);
    stale();
    expect([await ask("1"), asked()]).toEqual([200, index + 1]);
  }
  expect(await ask("cut")).toBe(503);
  stale();
  expect([await ask("1"), asked()]).toEqual([200, 2]);
});

test("a tag that is forgotten while upstream is asked about it is brought again", async () => {
  await using host = await testHost();
  await using upstream = await FakeRegistry.start();
  const image = imageOf([fileLayer("a", 10)]);
  upstream.push("library/app", "1", image);
  await using served = await serveRegistry(host, ["--upstream", upstream.url]);
  const ask = () => fetch(`${served.url}/v2/library/app/manifests/1`).then(({ status }) => status);
  expect(await ask()).toBe(200);
  const inDatabase = (sql: string) => {
    using database = new Database(join(host.root, "db.sqlite"));
    database.run("PRAGMA foreign_keys = ON");
    database.run(sql);
  };
  inDatabase("UPDATE repository_tags SET checked = 0");
  upstream.once(/^HEAD .*\/manifests\//, (_, wire) => {
    inDatabase("DELETE FROM repository_manifests");
    wire.head(200, { "Docker-Content-Digest": image.manifestDigest, "Content-Length": "9" });
  });
  expect(await ask()).toBe(200);
});

test("what is not what it is called breaks the connection, and nothing of it is kept", async () => {
  await using host = await testHost();
  const image = imageOf([fileLayer("big", 1 << 20)]);
  const layer = image.layers[0]!;
  await using upstream = await FakeRegistry.start();
  upstream.push("library/app", "1", image);
  const wrong = Buffer.from(layer);
  wrong[0]! ^= 1;
  upstream.always(/GET .*\/blobs\//, (_, wire) => wire.reply(200, {}, wrong));
  await using served = await serveRegistry(host, ["--upstream", upstream.url]);
  await fetch(`${served.url}/v2/library/app/manifests/1`);
  const get = async () => (await fetch(`${served.url}/v2/library/app/blobs/${digestOf(layer)}`)).bytes();
  expect(get()).rejects.toThrow();
  await get().catch(() => {});
  expect(contentOf(host).filter((name) => name.includes(digestOf(layer).slice(7)))).toEqual([]);
  expect((await fetch(`${served.url}/v2/library/none/manifests/1`)).status).toBe(404);
});

test("a tag is asked for again by HEAD, and followed where it leads elsewhere", async () => {
  await using host = await testHost();
  const [before, after] = [imageOf([fileLayer("a", 10)]), imageOf([fileLayer("b", 10)])];
  await using upstream = await FakeRegistry.start();
  upstream.push("library/app", "1", before);
  let now = before.manifestDigest;
  upstream.always(/^HEAD .*\/manifests\//, (_, wire) =>
    wire.head(200, { "Docker-Content-Digest": now, "Content-Length": "9" }),
  );
  await using served = await serveRegistry(host, ["--upstream", upstream.url]);
  const digest = async () =>
    (await fetch(`${served.url}/v2/library/app/manifests/1`)).headers.get("docker-content-digest");
  const forget = () => {
    using database = new Database(join(host.root, "db.sqlite"));
    database.run("UPDATE repository_tags SET checked = 0");
  };
  const asked = () => [upstream.seen(/^HEAD .*manifests/).length, upstream.seen(/^GET .*manifests/).length];
  expect([await digest(), await digest(), ...asked()]).toEqual([now, now, 0, 1]);
  forget();
  expect([await digest(), ...asked()]).toEqual([now, 1, 1]);
  upstream.push("library/app", "1", after);
  now = after.manifestDigest;
  forget();
  expect([await digest(), ...asked()]).toEqual([now, 2, 2]);
});

test("an upstream that is none is told in one line", async () => {
  await using host = await testHost();
  for (const url of [
    "registry",
    "ftp://a.b",
    "http://a.example",
    "https://a.example/path",
    "https://u:p@a.example",
  ]) {
    const refused = await host.rt(["registry", "serve", "--listen", "127.0.0.1:0", "--upstream", url]);
    expect([url, refused.code, refused.stderr]).toEqual([
      url,
      125,
      expect.stringMatching(/^rt: .*--upstream[^\n]*\n$/),
    ]);
  }
});
