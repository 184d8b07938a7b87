import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLimits } from "../../../src/registry/limits.ts";
import { send } from "../../../src/registry/transport.ts";
import { FakeRegistry, tinyImage } from "../../support/fake-registry.ts";
import { failsWith, pull } from "../source/pull.ts";

const image = tinyImage();
const basic = `Basic ${Buffer.from("user:secret").toString("base64")}`;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-redirect-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A registry that wants a password and keeps its blobs elsewhere. */
async function demanding(): Promise<{ registry: FakeRegistry; name: string; authFile: string }> {
  const registry = await FakeRegistry.start();
  registry.always(/manifests/, (request, wire) => {
    if (request.headers.get("authorization") === basic) return registry.serve(request, wire);
    wire.reply(401, { "WWW-Authenticate": "Basic" });
  });
  const authFile = join(dir, `${Math.random()}.json`);
  writeFileSync(
    authFile,
    JSON.stringify({ auths: { [registry.host]: { username: "user", password: "secret" } } }),
  );
  return { registry, name: registry.push("a", "1", image), authFile };
}

describe("redirects", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    test(`${status} to another port: the blob comes, Authorization stays`, async () => {
      const { registry, name, authFile } = await demanding();
      await using _ = registry;
      await using store = await FakeRegistry.start();
      store.push("a", "1", image);
      registry.always(/blobs/, (request, wire) =>
        wire.reply(status, { Location: `${store.url}${request.path}` }),
      );
      expect((await pull(name, { authFile })).layers).toEqual(image.layers);
      expect(store.requests).toHaveLength(3);
      expect(store.requests.some(({ headers }) => headers.has("authorization"))).toBe(false);
      expect(registry.seen(/blobs/).every(({ headers }) => headers.get("authorization") === basic)).toBe(
        true,
      );
    });
  }

  test("to another host name, and back again: Authorization does not come back to life", async () => {
    const { registry, name, authFile } = await demanding();
    await using _ = registry;
    await using store = await FakeRegistry.start();
    const port = store.host.split(":")[1];
    store.always(/blobs/, (request, wire) =>
      wire.reply(307, { Location: `${registry.url}${request.path}?back` }),
    );
    registry.always(/blobs\/[^?]*$/, (request, wire) => {
      wire.reply(307, { Location: `http://localhost:${port}${request.path}` });
    });
    expect((await pull(name, { authFile })).layers).toEqual(image.layers);
    expect(store.requests.some(({ headers }) => headers.has("authorization"))).toBe(false);
    expect(registry.seen(/back/).some(({ headers }) => headers.has("authorization"))).toBe(false);
  });

  test("on the same origin Authorization goes along", async () => {
    const { registry, name, authFile } = await demanding();
    await using _ = registry;
    registry.always(/blobs\/[^?]*$/, (request, wire) =>
      wire.reply(307, { Location: `${request.path}?moved` }),
    );
    await pull(name, { authFile });
    expect(registry.seen(/moved/).every(({ headers }) => headers.get("authorization") === basic)).toBe(true);
  });

  test("a 401 from where we were sent is not the registry's word: none of its secrets go there", async () => {
    const { registry, name, authFile } = await demanding();
    await using _ = registry;
    for (const challenge of ["Basic", "Bearer"]) {
      await using evil = await FakeRegistry.start();
      evil.always(/./, (_, wire) =>
        wire.reply(401, { "WWW-Authenticate": `${challenge} realm="${evil.url}/token"` }),
      );
      registry.always(/blobs/, (request, wire) =>
        wire.reply(307, { Location: `${evil.url}${request.path}` }),
      );
      expect(await failsWith("unauthorized", pull(name, { authFile }))).toContain(evil.host);
      expect(evil.requests.some(({ headers }) => headers.has("authorization"))).toBe(false);
    }
  });

  test("to another registry that wants a token: one for nobody, from its own challenge", async () => {
    const { registry, name, authFile } = await demanding();
    await using _ = registry;
    await using other = await FakeRegistry.start();
    other.push("b", "1", image);
    let issued = 0;
    other.always(/ \/token/, (_, wire) => wire.reply(200, {}, `{"token":"t${++issued}"}`));
    other.always(/ \/v2\//, (request, wire) => {
      if (request.headers.get("authorization") === `Bearer t${issued}`) return other.serve(request, wire);
      wire.reply(401, { "WWW-Authenticate": `Bearer realm="${other.url}/token",service="other"` });
    });
    registry.always(/blobs/, (request, wire) =>
      wire.reply(307, { Location: `${other.url}${request.path.replace("/v2/a/", "/v2/b/")}` }),
    );
    let chunks = 0;
    // The first layer's token expires before the second is asked for.
    const onChunk = () => {
      if (chunks++ === 0) issued++;
    };
    expect((await pull(name, { authFile, onChunk })).layers).toEqual(image.layers);
    const asked = other.seen(/ \/token/);
    expect(asked).toHaveLength(2);
    for (const { path, headers } of asked) {
      expect(path).toBe("/token?service=other&scope=repository%3Ab%3Apull");
      expect(headers.has("authorization")).toBe(false);
    }
    expect(other.requests.some(({ headers }) => headers.get("authorization") === basic)).toBe(false);
    expect(registry.seen(/blobs/).every(({ headers }) => headers.get("authorization") === basic)).toBe(true);
  });

  test("from one registry to another to a third, each of which wants a token: not further", async () => {
    const { registry, name, authFile } = await demanding();
    await using _ = registry;
    await using one = await FakeRegistry.start();
    await using two = await FakeRegistry.start();
    for (const [here, there] of [
      [one, two],
      [two, one],
    ] as const) {
      here.always(/ \/token/, (_, wire) => wire.reply(200, {}, '{"token":"t"}'));
      here.always(/ \/v2\//, (request, wire) => {
        const headers = { "WWW-Authenticate": `Bearer realm="${here.url}/token"` };
        if (!request.headers.has("authorization")) return wire.reply(401, headers);
        wire.reply(307, { Location: `${there.url}${request.path}` });
      });
    }
    registry.always(/blobs/, (request, wire) => wire.reply(307, { Location: `${one.url}${request.path}` }));
    await failsWith("unauthorized", pull(name, { authFile }));
  });

  test("circles and long chains end", async () => {
    await using registry = await FakeRegistry.start();
    const name = registry.push("a", "1", image);
    registry.always(/manifests/, (request, wire) => wire.reply(302, { Location: request.path }));
    expect(await failsWith("unavailable", pull(name))).toContain("redirects in a circle");
    let n = 0;
    registry.always(/manifests/, (_, wire) => wire.reply(302, { Location: `/v2/manifests/${n++}` }));
    expect(await failsWith("unavailable", pull(name))).toContain("redirects more than 10 times");
    expect(n).toBe(11);
  });

  const refused: [location: string, words: string][] = [
    ["file:///etc/passwd", "not a web address"],
    ["gopher://x/", "not a web address"],
    ["http://user:pw@127.0.0.1/", "with a password in it"],
    ["http://169.254.169.254/", "a link-local address"],
    ["http://[fe80::1]/", "a link-local address"],
    ["http://0/", "a link-local address"],
    ["http://[::]/", "a link-local address"],
    ["http://", "not a web address"],
  ];
  for (const [location, words] of refused) {
    test(`${location} is not followed`, async () => {
      await using registry = await FakeRegistry.start();
      const name = registry.push("a", "1", image);
      registry.always(/manifests/, (_, wire) => wire.reply(307, { Location: location }));
      expect(await failsWith("unavailable", pull(name))).toContain(words);
    });
  }

  test("from https to http is not followed", async () => {
    await using registry = await FakeRegistry.start({ tls: true });
    await using store = await FakeRegistry.start();
    registry.always(/./, (request, wire) => wire.reply(307, { Location: `${store.url}${request.path}` }));
    const line = await failsWith(
      "unavailable",
      send({ url: new URL(registry.url), insecure: true }, defaultLimits).then(),
    );
    expect(line).toContain("from https to plain http");
    expect(store.requests).toEqual([]);
  });
});

describe("TLS", () => {
  test("an unknown certificate is refused, and accepted with --tls-verify=false or insecure", async () => {
    await using registry = await FakeRegistry.start({ tls: true });
    const name = registry.push("a", "1", image);
    expect(await failsWith("unavailable", pull(name))).toMatch(
      /cannot trust 127\.0\.0\.1:\d+: .*--tls-verify=false/,
    );
    expect((await pull(name, { tlsVerify: false })).layers).toEqual(image.layers);
    const registries = new Map([[registry.host, { mirrors: [], insecure: true, tokenServers: [] }]]);
    expect((await pull(name, { config: { registries } })).layers).toEqual(image.layers);
  });

  test("a loopback registry whose /v2/ redirects speaks http, unless it leads to https", async () => {
    await using registry = await FakeRegistry.start();
    const name = registry.push("a", "1", image);
    registry.always(/ \/v2\/$/, (_, wire) => wire.reply(301, { Location: "/elsewhere" }));
    expect((await pull(name)).layers).toEqual(image.layers);
    registry.always(/ \/v2\/$/, (_, wire) => wire.reply(301, { Location: "https://127.0.0.1:1/v2/" }));
    // The fake registry waits for the end of a request that TLS never sends.
    expect(await failsWith("unavailable", pull(name, { limits: { headersMs: 300 } }))).toBe(
      `${registry.host} redirects to https://127.0.0.1:1/v2/, and does not speak https itself`,
    );
  });

  test("a loopback registry is asked in http first, and in https when it says so", async () => {
    await using registry = await FakeRegistry.start({ tls: true });
    const name = registry.push("a", "1", image);
    await pull(name, { tlsVerify: false });
    expect(registry.requests.every(({ headers }) => !headers.has("authorization"))).toBe(true);
    await using plain = await FakeRegistry.start();
    await pull(plain.push("a", "1", image));
    expect(plain.seen(/ \/v2\/$/)).toHaveLength(1);
  });
});
