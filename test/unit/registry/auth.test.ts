import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authorizer } from "../../../src/registry/auth.ts";
import { defaultLimits } from "../../../src/registry/limits.ts";
import { type Request, send } from "../../../src/registry/transport.ts";
import { openSource } from "../../../src/source/open.ts";
import { FakeRegistry, type SeenRequest, tinyImage, type Wire } from "../../support/fake-registry.ts";
import { failsWith, type PullOptions, pull } from "../source/pull.ts";

const image = tinyImage();
const basic = `Basic ${Buffer.from("user:secret").toString("base64")}`;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-auth-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** An auth file with user:secret (or another entry) for these hosts. */
function login(
  hosts: string[],
  entry: object = { auth: Buffer.from("user:secret").toString("base64") },
): PullOptions {
  const authFile = join(dir, `${Math.random()}.json`);
  writeFileSync(authFile, JSON.stringify({ auths: Object.fromEntries(hosts.map((host) => [host, entry])) }));
  return { authFile };
}

/** Makes `registry` ask for a bearer token from `realm`, and accept those in `valid`. */
function demandToken(registry: FakeRegistry, realm: string, valid: Set<string>): void {
  registry.always(/ \/v2\/.+\//, (request, wire) => {
    const given = request.headers.get("authorization")?.replace(/^Bearer /, "");
    if (given !== undefined && valid.has(given)) return registry.serve(request, wire);
    wire.reply(401, { "WWW-Authenticate": `Bearer realm="${realm}",service="fake"` });
  });
}

/** Serves tokens t1, t2, … to those whose Authorization is `wanted`. */
function serveTokens(server: FakeRegistry, valid: Set<string>, wanted: string | null): void {
  let count = 0;
  server.always(/ \/token/, (request, wire) => {
    if (request.headers.get("authorization") !== wanted) return wire.reply(401);
    const token = `t${++count}`;
    valid.add(token);
    wire.reply(200, { "Content-Type": "application/json" }, JSON.stringify({ token, expires_in: 60 }));
  });
}

const authorizations = (server: FakeRegistry): string[] =>
  server.requests.flatMap(({ headers }) => headers.get("authorization") ?? []);

describe("Basic", () => {
  const demand = (registry: FakeRegistry) =>
    registry.always(/ \/v2\/.+\//, (request: SeenRequest, wire: Wire) => {
      if (request.headers.get("authorization") === basic) return registry.serve(request, wire);
      wire.reply(401, { "WWW-Authenticate": 'Basic realm="x"' });
    });

  test("the password goes to who asks for it, once asked", async () => {
    await using registry = await FakeRegistry.start();
    demand(registry);
    const name = registry.push("a", "1", image);
    expect((await pull(name, login([registry.host]))).layers).toEqual(image.layers);
    expect(registry.requests.map(({ headers }) => headers.has("authorization"))).toEqual([
      false, // /v2/, to see what it speaks
      false,
      ...Array(4).fill(true),
    ]);
  });

  test("no password, a wrong one, an unknown scheme", async () => {
    await using registry = await FakeRegistry.start();
    demand(registry);
    const name = registry.push("a", "1", image);
    expect(await failsWith("unauthorized", pull(name))).toContain(
      "wants a user name and a password: log in first",
    );
    const wrong = login([registry.host], { username: "user", password: "wrong" });
    expect(await failsWith("unauthorized", pull(name, wrong))).toContain("is denied");
    registry.always(/manifests/, (_, wire) => wire.reply(401, { "WWW-Authenticate": "Negotiate" }));
    expect(await failsWith("unauthorized", pull(name, wrong))).toContain("it asks for negotiate");
    registry.always(/manifests/, (_, wire) => wire.reply(401));
    expect(await failsWith("unauthorized", pull(name, wrong))).toContain("no known scheme");
    registry.always(/manifests/, (_, wire) => wire.reply(401, { "WWW-Authenticate": 'Bearer realm="x' }));
    expect(await failsWith("data-loss", pull(name, wrong))).toContain("malformed WWW-Authenticate");
  });
});

describe("Bearer", () => {
  test("an anonymous token, asked for once, with our own scope", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    const valid = new Set<string>();
    demandToken(registry, `${tokens.url}/token?x=1`, valid);
    serveTokens(tokens, valid, null);
    expect((await pull(registry.push("a/b", "1", image))).layers).toEqual(image.layers);
    expect(tokens.requests.map(({ path }) => path)).toEqual([
      "/token?x=1&service=fake&scope=repository%3Aa%2Fb%3Apull",
    ]);
  });

  test("with a password, that only the token server sees", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    const valid = new Set<string>();
    demandToken(registry, `${tokens.url}/token`, valid);
    serveTokens(tokens, valid, basic);
    const name = registry.push("a", "1", image);
    expect((await pull(name, login([registry.host]))).layers).toEqual(image.layers);
    expect(new Set(authorizations(registry))).toEqual(new Set(["Bearer t1"]));
    expect(authorizations(tokens)).toEqual([basic]);
    expect(await failsWith("unauthorized", pull(name))).toContain("refuses an anonymous pull");
    const wrong = login([registry.host], { username: "u", password: "p" });
    expect(await failsWith("unauthorized", pull(name, wrong))).toContain("refuses the credentials");
  });

  test("an identity token is exchanged by POST; a registry token goes as it is", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    const valid = new Set<string>(["own"]);
    demandToken(registry, `${tokens.url}/token`, valid);
    tokens.always(/^POST \/token$/, (_, wire) => {
      valid.add("o1");
      wire.reply(200, {}, '{"access_token":"o1"}');
    });
    const name = registry.push("a", "1", image);
    await pull(name, login([registry.host], { auth: "", identitytoken: "refresh+me" }));
    expect(tokens.requests[0]?.body).toBe(
      "grant_type=refresh_token&client_id=rt&scope=repository%3Aa%3Apull&service=fake&refresh_token=refresh%2Bme",
    );
    expect(authorizations(tokens)).toEqual([]);
    await pull(name, login([registry.host], { registrytoken: "own" }));
    expect(tokens.requests).toHaveLength(1);
  });

  test("a token that expires in the middle of a pull is renewed, once for all layers", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    const valid = new Set<string>();
    demandToken(registry, `${tokens.url}/token`, valid);
    serveTokens(tokens, valid, null);
    const name = registry.push("a", "1", image);
    const source = await openSource(name, { config: { registries: new Map() }, env: {}, warn: () => {} });
    const found = await source.resolve({ os: "linux", architecture: "amd64" });
    valid.clear();
    const read = async (i: number) =>
      Buffer.concat(await Array.fromAsync(source.fetch(found.manifest.layers[i]!, 0)));
    expect<unknown>(await Promise.all([read(0), read(1), read(0)])).toEqual(
      [0, 1, 0].map((i) => Buffer.from(image.layers[i]!)),
    );
    expect(tokens.requests).toHaveLength(2);
    // One that is never good ends the pull; it does not go round for ever.
    registry.always(/blobs/, (_, wire) =>
      wire.reply(401, { "WWW-Authenticate": `Bearer realm="${tokens.url}/token"` }),
    );
    await failsWith("unauthorized", read(0));
    expect(tokens.requests).toHaveLength(3);
  });

  test("a layer that is given up does not take along the token that others wait for", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    const valid = new Set<string>();
    demandToken(registry, `${tokens.url}/token`, valid);
    serveTokens(tokens, valid, null);
    const name = registry.push("a", "1", image);
    const source = await openSource(name, { config: { registries: new Map() }, env: {}, warn: () => {} });
    const { manifest } = await source.resolve({ os: "linux", architecture: "amd64" });
    valid.clear();
    const asked = Promise.withResolvers<Wire>();
    tokens.once(/token/, (_, wire) => asked.resolve(wire));
    const controller = new AbortController();
    const first = Array.fromAsync(source.fetch(manifest.layers[0]!, 0, controller.signal));
    const second = Array.fromAsync(source.fetch(manifest.layers[1]!, 0));
    const wire = await asked.promise;
    controller.abort();
    valid.add("late");
    wire.reply(200, {}, '{"token":"late"}');
    await failsWith("cancelled", first);
    expect(Buffer.concat(await second)).toEqual(Buffer.from(image.layers[1]!));
  });

  test("a 401 that comes late, for a token already replaced, asks for no other", async () => {
    await using tokens = await FakeRegistry.start();
    serveTokens(tokens, new Set(), null);
    const origin = new URL("http://127.0.0.1:1");
    const endpoint = {
      host: origin.host,
      mirror: false,
      insecure: false,
      tokenServers: [],
      origins: [origin],
    };
    const authorizer = new Authorizer(endpoint, "a", async () => undefined, defaultLimits);
    const renew = (rejected?: string) =>
      authorizer.renew(rejected, `Bearer realm="${tokens.url}/token"`, origin);
    expect(await renew()).toBe("Bearer t1");
    expect(await renew()).toBe("Bearer t1");
    expect(await renew("Bearer t1")).toBe("Bearer t2");
    expect(await renew("Bearer t1")).toBe("Bearer t2");
    expect(authorizer.current).toBe("Bearer t2");
  });

  test("token answers that are none", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    demandToken(registry, `${tokens.url}/token`, new Set());
    const name = registry.push("a", "1", image);
    const answers: [string, Parameters<typeof failsWith>[0], string][] = [
      ["{}", "data-loss", "has no token"],
      ["[]", "data-loss", "want an object"],
      ["x", "data-loss", "not valid JSON"],
      ['{"token":5}', "data-loss", "want a string"],
      ['{"token":"a\\r\\nX-Evil: 1"}', "data-loss", "characters that no token has"],
      [`{"token":"${"x".repeat(2 ** 20)}"}`, "exhausted", "larger than 1048576 bytes"],
      [`{"a":${"[".repeat(100_000)}`, "exhausted", "nested"],
    ];
    for (const [body, code, words] of answers) {
      tokens.once(/token/, (_, wire) => wire.reply(200, {}, body));
      expect(await failsWith(code, pull(name))).toContain(words);
    }
    tokens.once(/token/, (_, wire) => {
      wire.head(200, {});
      const chunk = Buffer.alloc(65_536, " ");
      const more = () => {
        while (!wire.socket.destroyed && wire.socket.write(chunk));
      };
      wire.socket.on("drain", more);
      more();
    });
    expect(await failsWith("exhausted", pull(name))).toContain("larger than 1048576 bytes");
    tokens.once(/token/, (_, wire) => wire.reply(200, {}, "<!DOCTYPE html><title>log in</title>"));
    expect(await failsWith("data-loss", pull(name))).toContain("is not valid JSON, it is a web page");
    tokens.once(/token/, (_, wire) => wire.reply(200, {}, '{"Token":null,"Access_Token":"x"}'), 1);
    expect(await failsWith("unauthorized", pull(name))).toContain("is denied");
    tokens.once(/token/, (_, wire) => wire.reply(503), 2);
    tokens.once(/token/, (_, wire) => wire.reply(200, {}, '{"token":"x"}'), 1);
    expect(await failsWith("unauthorized", pull(name))).toContain("is denied");
  });
});

describe("realms that get nothing", () => {
  const cases: [realm: string, words: string][] = [
    ["http://evil.example/token", "must be https"],
    ["http://169.254.169.254/latest", "must be https"],
    ["https://169.254.169.254/latest", "a link-local address"],
    ["https://[fe80::1]/t", "a link-local address"],
    ["https://[::ffff:169.254.169.254]/t", "a link-local address"],
    ["https://0.0.0.0/t", "a link-local address"],
    ["https://2852039166/t", "a link-local address"],
    ["file:///etc/passwd", "must be https"],
    ["ftp://evil.example/t", "must be https"],
    ["https://user:pw@evil.example/t", "a password in it"],
    ["/token", "not a web address"],
    ["", "not a web address"],
  ];
  for (const [realm, words] of cases) {
    test(realm, async () => {
      await using registry = await FakeRegistry.start();
      demandToken(registry, realm, new Set());
      const line = await failsWith(
        "unauthorized",
        pull(registry.push("a", "1", image), login([registry.host])),
      );
      expect(line).toContain(words);
      expect(authorizations(registry)).toEqual([]);
    });
  }

  test("an insecure registry may have its token server on plain http at its own host, and at no other", async () => {
    await using registry = await FakeRegistry.start({ tls: true });
    await using tokens = await FakeRegistry.start();
    const valid = new Set<string>();
    serveTokens(tokens, valid, basic);
    const options = { ...login([registry.host]), tlsVerify: false };
    const name = registry.push("a", "1", image);
    const elsewhere = tokens.url.replace("127.0.0.1", "localhost");
    demandToken(registry, `${elsewhere}/token`, valid);
    expect(await failsWith("unauthorized", pull(name, options))).toContain("must be https");
    expect(tokens.requests).toEqual([]);
    demandToken(registry, `${tokens.url}/token`, valid);
    expect((await pull(name, options)).layers).toEqual(image.layers);
    expect(authorizations(tokens)).toEqual([basic]);
  });

  test("a secure one may not: neither at its own host nor anywhere else", async () => {
    const origin = new URL("https://registry.example.com");
    const endpoint = {
      host: origin.host,
      mirror: false,
      insecure: false,
      tokenServers: [],
      origins: [origin],
    };
    const authorizer = new Authorizer(endpoint, "a", async () => undefined, defaultLimits);
    for (const realm of ["http://registry.example.com/token", "http://127.0.0.1:1/token"]) {
      const line = await failsWith(
        "unauthorized",
        authorizer.renew(undefined, `Bearer realm="${realm}"`, origin),
      );
      expect(line).toContain("must be https");
    }
  });

  test("an anonymous token that is of no use is told together with the password that was withheld", async () => {
    await using registry = await FakeRegistry.start();
    const origin = new URL(registry.url);
    const endpoint = {
      host: "r.corp.internal",
      mirror: false,
      insecure: false,
      tokenServers: [],
      origins: [origin],
    };
    const find = async () => ({ kind: "basic", username: "user", password: "secret" }) as const;
    const reach = (request: Request) =>
      send({ ...request, url: new URL(`${registry.url}/token`) }, defaultLimits);
    const authorizer = new Authorizer(endpoint, "a", find, defaultLimits, reach);
    registry.always(/token/, (_, wire) => wire.reply(200, {}, '{"token":"anonymous"}'));
    const header = 'Bearer realm="https://auth.corp.internal/token"';
    expect(await authorizer.renew(undefined, header, new URL("https://r.corp.internal"))).toBe(
      "Bearer anonymous",
    );
    expect(authorizer.withheld).toContain('set token-servers = ["auth.corp.internal"]');
    expect(authorizations(registry)).toEqual([]);
  });

  test("another site gets no password, only an anonymous request; the error says how to allow it", async () => {
    const seen: (string | null)[] = [];
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => {
        seen.push(request.headers.get("authorization"));
        return seen.at(-1) === basic ? Response.json({ token: "t" }) : new Response(null, { status: 401 });
      },
    });
    const realm = `http://127.0.0.1:${server.port}/token`;
    const find = async () => ({ kind: "basic", username: "user", password: "secret" }) as const;
    const ask = async (tokenServers: string[]) => {
      const origin = new URL("https://registry.evil-mirror.example");
      const endpoint = { host: origin.host, mirror: false, insecure: false, tokenServers, origins: [origin] };
      const authorizer = new Authorizer(endpoint, "a", find, defaultLimits, fakeRealm);
      return authorizer.renew(undefined, 'Bearer realm="https://login.other.example/token"', origin);
    };
    const fakeRealm = (request: Request) => send({ ...request, url: new URL(realm) }, defaultLimits);
    const line = await failsWith("unauthorized", ask([]));
    expect(line).toContain("at login.other.example, another site; if that is right, set token-servers");
    expect(seen).toEqual([null]);
    expect(await ask(["login.other.example"])).toBe("Bearer t");
    expect(seen).toEqual([null, basic]);
  });

  test("a token server that redirects keeps the password to itself; a login by POST is not redirected", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    await using evil = await FakeRegistry.start();
    demandToken(registry, `${tokens.url}/token`, new Set());
    tokens.always(/token/, (_, wire) => wire.reply(307, { Location: `${evil.url}/token` }));
    const name = registry.push("a", "1", image);
    await failsWith("unauthorized", pull(name, login([registry.host])));
    expect(evil.requests).toHaveLength(1);
    expect(authorizations(evil)).toEqual([]);
    const identity = login([registry.host], { auth: "", identitytoken: "refresh" });
    expect(await failsWith("unavailable", pull(name, identity))).toContain("redirects a login: not followed");
    expect(evil.requests).toHaveLength(1);
  });
});
