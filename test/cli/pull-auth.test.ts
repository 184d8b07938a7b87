/** Credentials: where they are found, where they go, and that they are never shown. */
import { afterAll, expect } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeRegistry } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { fileLayer, imageOf, storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry", "busybox", "tar"] });

const password = "p:w€ird=pass";
const basic = (user: string, secret: string) => Buffer.from(`${user}:${secret}`).toString("base64");
const good = basic("me", password);
let registry: Registry;
let name: string;

beforeAll(async () => {
  registry = await startRegistry({ auth: { user: "me", password } });
  await pushLayout(await busyboxLayout(), "latest", registry, "private/busybox:1");
  name = `${registry.address}/private/busybox:1`;
}, 240_000);

afterAll(async () => registry?.[Symbol.asyncDispose]());

function dockerConfig(host: TestHost, config: unknown): void {
  writeFileSync(join(host.env.DOCKER_CONFIG!, "config.json"), JSON.stringify(config));
}

/** `docker-credential-NAME` that answers `script`, and writes down what it was asked. */
function helper(host: TestHost, helperName: string, script: string): Record<string, string> {
  const bin = join(host.dir, "bin");
  mkdirSync(bin, { recursive: true });
  const path = join(bin, `docker-credential-${helperName}`);
  writeFileSync(path, `#!/bin/sh\nread -r server; echo "$1 $server" >> '${host.dir}/asked'\n${script}\n`);
  chmodSync(path, 0o755);
  return { PATH: `${bin}:${host.env.PATH}` };
}

const answers = (user: string, secret: string) =>
  `printf '%s' '${JSON.stringify({ ServerURL: "x", Username: user, Secret: secret })}'`;

test("docker's auths", async () => {
  await using host = await testHost();
  dockerConfig(host, { auths: { [registry.address]: { auth: good } } });
  await host.ok(["pull", "-q", name]);
});

test("podman's auth.json, in the runtime directory and in ~/.config", async () => {
  for (const place of ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"]) {
    await using host = await testHost();
    mkdirSync(join(host.env[place]!, "containers"), { recursive: true });
    const auths = { auths: { [`${registry.address}/private`]: { auth: good } } };
    writeFileSync(join(host.env[place]!, "containers/auth.json"), JSON.stringify(auths));
    await host.ok(["pull", "-q", name]);
  }
});

test("REGISTRY_AUTH_FILE alone, wherever it lies; one that is not there is named", async () => {
  await using host = await testHost();
  dockerConfig(host, { auths: { [registry.address]: { auth: basic("me", "wrong") } } });
  const file = join(host.dir, "my auth");
  const env = { REGISTRY_AUTH_FILE: file };
  const { code, stderr } = await host.rt(["pull", "-q", name], { env });
  expect(oneLine(stderr)).toContain(`cannot read credentials file ${file} of REGISTRY_AUTH_FILE: ENOENT`);
  expect(code).toBe(125);
  writeFileSync(file, JSON.stringify({ auths: { [registry.address]: { auth: good } } }));
  await host.ok(["pull", "-q", name], { env });
});

test("a credential helper for the host, before the store for all, before auths", async () => {
  await using host = await testHost();
  const env = {
    ...helper(host, "all", answers("me", "wrong")),
    ...helper(host, "one", answers("me", password)),
  };
  const wrong = { [registry.address]: { auth: basic("me", "wrong") } };
  dockerConfig(host, { auths: wrong, credsStore: "all", credHelpers: { [registry.address]: "one" } });
  await host.ok(["pull", "-q", name], { env });
  expect(await Bun.file(join(host.dir, "asked")).text()).toBe(`get ${registry.address}\n`);
  const store = helper(host, "all", answers("me", password));
  dockerConfig(host, { auths: wrong, credsStore: "all" });
  await host.ok(["rmi", name]);
  await host.ok(["pull", "-q", name], { env: store });
});

test("a helper that fails is told of, and the pull goes on without it", async () => {
  await using host = await testHost();
  const env = helper(host, "broken", "echo 'cannot unlock the keychain'; exit 1");
  dockerConfig(host, { auths: {}, credHelpers: { [registry.address]: "broken" } });
  const { code, stderr } = await host.rt(["pull", name], { env });
  expect(code).toBe(125);
  const lines = stderr.trimEnd().split("\n");
  expect(lines[0]).toBe(
    `rt: docker-credential-broken failed: cannot unlock the keychain; going on without credentials for ${registry.address}`,
  );
  expect(lines[1]).toMatch(/^rt: access to .* is denied: it wants a user name and a password: log in first$/);
  expect(lines).toHaveLength(2);
});

const refused: [string, unknown, RegExp][] = [
  ["none", {}, /private\/busybox is denied: it wants a user name and a password: log in first$/],
  ["wrong", { auth: basic("me", "nope") }, /private\/busybox is denied/],
  [
    "not base64 of user:password",
    { auth: "!!!!" },
    /config\.json: an auth entry is not base64 of user:password$/,
  ],
];
for (const [what, entry, line] of refused) {
  test(`credentials that are ${what}: one line, 125, and nothing is stored`, async () => {
    await using host = await testHost();
    dockerConfig(host, { auths: { [registry.address]: entry } });
    const { code, stdout, stderr } = await host.rt(["pull", name]);
    expect(stdout).toBe("");
    expect(oneLine(stderr)).toMatch(line);
    expect(stderr).not.toContain("nope");
    expect(code).toBe(125);
    expect(await storeIsEmpty(host)).toEqual([]);
  });
}

test("a file that is not JSON is named, and not quoted", async () => {
  await using host = await testHost();
  writeFileSync(join(host.env.DOCKER_CONFIG!, "config.json"), `{"auths": {"x": {"auth": "${good}"`);
  const { code, stderr } = await host.rt(["pull", name]);
  expect(oneLine(stderr)).toContain(join(host.env.DOCKER_CONFIG!, "config.json"));
  expect(stderr).not.toContain(good);
  expect(code).toBe(125);
});

/** A registry that wants a token from its token server, which wants `credential`. */
async function bearerRegistry(): Promise<{ registry: FakeRegistry; tokens: FakeRegistry } & AsyncDisposable> {
  const [blobs, tokens] = [await FakeRegistry.start(), await FakeRegistry.start()];
  tokens.always(/GET \/token/, (request, wire) => {
    if (request.headers.get("authorization") !== `Basic ${good}`) wire.reply(401, {}, "{}");
    else wire.reply(200, {}, JSON.stringify({ token: "the-token" }));
  });
  blobs.always(/\/v2\/./, (request, wire) => {
    if (request.headers.get("authorization") === "Bearer the-token") blobs.serve(request, wire);
    else wire.reply(401, { "WWW-Authenticate": `Bearer realm="${tokens.url}/token",service="fake"` }, "{}");
  });
  return {
    registry: blobs,
    tokens,
    async [Symbol.asyncDispose]() {
      await blobs[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
    },
  };
}

test("a token from a token server, asked for once", async () => {
  await using host = await testHost();
  await using fake = await bearerRegistry();
  const image = fake.registry.push("team/app", "1", imageOf([fileLayer("a", 5000), fileLayer("b", 5000)]));
  const { code, stderr } = await host.rt(["pull", image]);
  expect(oneLine(stderr)).toMatch(
    /is denied: its token server 127\.0\.0\.1:\d+ refuses an anonymous pull \(status 401\)$/,
  );
  expect(code).toBe(125);
  expect(await storeIsEmpty(host)).toEqual([]);
  dockerConfig(host, { auths: { [fake.registry.host]: { auth: good } } });
  const before = fake.tokens.requests.length;
  await host.ok(["pull", "-q", image]);
  expect(fake.tokens.requests.slice(before).map(({ path }) => path)).toEqual([
    "/token?service=fake&scope=repository%3Ateam%2Fapp%3Apull",
  ]);
});

test("no credential is shown, also where the environment asks the runtime to show each request", async () => {
  await using host = await testHost();
  await using fake = await bearerRegistry();
  const image = fake.registry.push("team/app", "1", imageOf([fileLayer("a", 5000)]));
  dockerConfig(host, { auths: { [fake.registry.host]: { auth: good } } });
  for (const verbose of ["1", "curl", "true"]) {
    const env = { BUN_CONFIG_VERBOSE_FETCH: verbose, RT_DEBUG: "1", NODE_DEBUG: "http,net", DEBUG: "*" };
    const { stdout, stderr, code } = await host.rt(["pull", image], { env });
    expect(stderr).toBe("");
    expect(stdout).not.toContain("uthorization");
    expect(stdout).not.toContain("the-token");
    expect(code).toBe(0);
  }
});

test("TLS that nobody vouches for is refused, unless it is asked for, or the host is configured so", async () => {
  await using host = await testHost();
  await using fake = await FakeRegistry.start({ tls: true });
  const image = fake.push("team/app", "1", imageOf([fileLayer("a", 5000)]));
  const { code, stderr } = await host.rt(["pull", image]);
  expect(oneLine(stderr)).toMatch(
    /^cannot trust 127\.0\.0\.1:\d+: DEPTH_ZERO_SELF_SIGNED_CERT; --tls-verify=false accepts that$/,
  );
  expect(code).toBe(125);
  expect(await storeIsEmpty(host)).toEqual([]);
  expect(fake.requests).toEqual([]);
  await host.ok(["pull", "-q", "--tls-verify=false", image]);
  const config = join(host.dir, "config.toml");
  writeFileSync(config, `[registries."${fake.host}"]\ninsecure = true\n`);
  await host.ok(["--config", config, "pull", "-q", image]);
});
