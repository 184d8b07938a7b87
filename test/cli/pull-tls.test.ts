/** Whose certificates `rt pull` trusts, and by whom it is led there: SSL_CERT_*, and the proxies of the environment. */
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeRegistry } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { startProxy } from "../support/proxy.ts";
import { namedTls, testAuthority } from "../support/test-tls.ts";
import { fileLayer, imageOf, storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const image = imageOf([fileLayer("a", 5000)]);

/** An https registry whose authority is in the file that is named in `trust`. */
async function secured(): Promise<
  { host: TestHost; registry: FakeRegistry; name: string; trust: Record<string, string> } & AsyncDisposable
> {
  const stack = new AsyncDisposableStack();
  const host = stack.use(await testHost());
  const registry = stack.use(await FakeRegistry.start({ tls: namedTls }));
  const file = join(host.dir, "authority.pem");
  writeFileSync(file, testAuthority);
  const name = registry.push("team/app", "1", image);
  return {
    host,
    registry,
    name,
    trust: { SSL_CERT_FILE: file },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const untrusted = /^cannot trust \S+: UNABLE_TO_VERIFY_LEAF_SIGNATURE; --tls-verify=false accepts that$/;

test("SSL_CERT_FILE and SSL_CERT_DIR name the authorities; without them this one is not trusted", async () => {
  await using world = await secured();
  const { host, name, trust } = world;
  const refused = await host.rt(["pull", "-q", name]);
  expect(oneLine(refused.stderr)).toMatch(untrusted);
  expect(refused.code).toBe(125);
  await host.ok(["pull", "-q", name], { env: trust });
  await host.ok(["rmi", name]);
  const directory = join(host.dir, "certificates");
  mkdirSync(directory);
  writeFileSync(join(directory, "any-name"), testAuthority);
  await host.ok(["pull", "-q", name], { env: { SSL_CERT_DIR: `/nonexistent:${directory}` } });
});

test("what node's variables say of trust counts for nothing", async () => {
  await using world = await secured();
  const { host, name, registry, trust } = world;
  const env = {
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    NODE_EXTRA_CA_CERTS: trust.SSL_CERT_FILE!,
    NODE_OPTIONS: "--use-system-ca",
    NODE_USE_SYSTEM_CA: "1",
    BUN_OPTIONS: "--use-openssl-ca",
  };
  const { code, stdout, stderr } = await host.rt(["pull", name], { env });
  expect(stdout).toBe("");
  expect(oneLine(stderr)).toMatch(untrusted);
  expect(code).toBe(125);
  expect(registry.requests).toEqual([]);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("a trusted authority vouches for the names in its certificates, and for no other", async () => {
  await using world = await secured();
  const { host, registry, trust } = world;
  await using proxy = await startProxy(registry.host);
  const env = { ...trust, HTTPS_PROXY: proxy.url };
  const { code, stderr } = await host.rt(["pull", "-q", "other.test/team/app:1"], { env });
  expect(oneLine(stderr)).toMatch(/^cannot trust other\.test: ERR_TLS_CERT_ALTNAME_INVALID;/);
  expect(code).toBe(125);
  expect(registry.requests).toEqual([]);
});

const broken: [string, string | undefined, RegExp][] = [
  ["absent", undefined, /^cannot read SSL_CERT_FILE \S+ca\.pem: ENOENT/],
  ["not PEM", "hello", /^cannot use SSL_CERT_FILE \S+ca\.pem: it holds no certificate in PEM form$/],
  [
    "cut short",
    testAuthority.slice(0, 300),
    /^cannot use SSL_CERT_FILE \S+ca\.pem: its certificate 1 is damaged$/,
  ],
];
for (const [what, text, line] of broken) {
  test(`an SSL_CERT_FILE that is ${what}: one line that names it; nobody needs it for plain http`, async () => {
    await using world = await secured();
    const { host, name } = world;
    const file = join(host.dir, "ca.pem");
    if (text !== undefined) writeFileSync(file, text);
    const env = { SSL_CERT_FILE: file };
    const { code, stderr } = await host.rt(["pull", name], { env });
    expect(oneLine(stderr)).toMatch(line);
    expect(code).toBe(125);
    await using plain = await FakeRegistry.start();
    await host.ok(["pull", "-q", plain.push("team/app", "1", image)], { env });
  });
}

test("HTTPS_PROXY leads to a registry by its name, in a tunnel; the registry's TLS is verified through it", async () => {
  await using world = await secured();
  const { host, registry, trust } = world;
  await using proxy = await startProxy(registry.host);
  for (const name of ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"]) {
    const before = proxy.heads.length;
    const env = { ...trust, [name]: proxy.url.replace("//", "//user:secret@") };
    await host.ok(["pull", "-q", "registry.test/team/app:1"], { env });
    const heads = proxy.heads.slice(before);
    expect(heads.length).toBeGreaterThan(0);
    for (const head of heads) {
      expect(head).toStartWith("CONNECT registry.test:443 HTTP/1.1\r\n");
      expect(head).toContain(`Proxy-Authorization: Basic ${btoa("user:secret")}`);
    }
    await host.ok(["rmi", "registry.test/team/app:1"]);
  }
  const { stderr } = await host.rt(["pull", "-q", "registry.test/team/app:1"], {
    env: { HTTPS_PROXY: proxy.url },
  });
  expect(oneLine(stderr)).toMatch(untrusted);
});

test("this machine's own registries are never asked through a proxy; NO_PROXY excepts others", async () => {
  await using world = await secured();
  const { host, registry, name, trust } = world;
  await using plain = await FakeRegistry.start();
  await using proxy = await startProxy(registry.host);
  const proxies = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, ALL_PROXY: proxy.url };
  for (const NO_PROXY of ["", "example.org"]) {
    const env = { ...trust, ...proxies, NO_PROXY };
    await host.ok(["pull", "-q", name], { env });
    await host.ok(["pull", "-q", plain.push("team/app", "1", image)], { env });
    await host.ok(["pull", "-q", name.replace("127.0.0.1", "localhost")], { env });
  }
  expect(proxy.heads).toEqual([]);
  const env = { ...trust, ...proxies, NO_PROXY: "example.org,.invalid" };
  const { stderr, code } = await host.rt(["pull", "-q", "registry.invalid/team/app:1"], { env });
  expect(oneLine(stderr)).toMatch(/^cannot reach registry\.invalid: /);
  expect(code).toBe(125);
  expect(proxy.heads).toEqual([]);
});

/** A proxy that says one thing to all, or nothing. */
function answering(text: string | undefined): Disposable & { url: string } {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void (text !== undefined && socket.end(text)) },
  });
  return { url: `http://127.0.0.1:${listener.port}`, [Symbol.dispose]: () => listener.stop(true) };
}

test("a proxy of a kind that is not spoken is said in one line, at once", async () => {
  await using world = await secured();
  const env = { ...world.trust, HTTPS_PROXY: "socks5://127.0.0.1:1" };
  const { stderr, code } = await world.host.rt(["pull", "registry.test/team/app:1"], { env });
  expect(oneLine(stderr)).toBe(
    "cannot reach registry.test: the proxy of HTTPS_PROXY must be http:// or https://, and is socks5://127.0.0.1:1",
  );
  expect(code).toBe(125);
});

test("a proxy that is dead, refuses, is silent or is none at all is named, without its password", async () => {
  await using host = await testHost();
  using refusing = answering("HTTP/1.1 403 No way\r\nContent-Length: 0\r\n\r\n");
  using failing = answering("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
  using silent = answering(undefined);
  const config = join(host.dir, "config.toml");
  writeFileSync(config, 'registry-timeout = 0.2\n[registries."plain.test"]\ninsecure = true\n');
  const secret = (url: string) => url.replace("//", "//user:secret@");
  const rows: [env: Record<string, string>, line: string | RegExp][] = [
    [
      { HTTPS_PROXY: secret("http://127.0.0.1:1") },
      "through the proxy http://127.0.0.1:1 (HTTPS_PROXY): connection refused",
    ],
    [
      { https_proxy: "127.0.0.1:1" },
      "through the proxy http://127.0.0.1:1 (https_proxy): connection refused",
    ],
    [
      { ALL_PROXY: "http://nosuch.invalid:1" },
      // The second where nobody is there to say so.
      /through the proxy http:\/\/nosuch\.invalid:1 \(ALL_PROXY\): (no such host|the name cannot be looked up now)/,
    ],
    [
      { HTTPS_PROXY: secret(refusing.url) },
      `through the proxy ${refusing.url} (HTTPS_PROXY): Proxy refused to open a tunnel: 403`,
    ],
    [
      { HTTPS_PROXY: secret(failing.url) },
      `through the proxy ${failing.url} (HTTPS_PROXY): Proxy refused to open a tunnel: 502`,
    ],
    [
      { HTTPS_PROXY: secret(silent.url) },
      `through the proxy ${silent.url} (HTTPS_PROXY) does not answer within 0.2 s`,
    ],
    [{ HTTPS_PROXY: "http://user:secret@:1" }, "the proxy of HTTPS_PROXY is not an address: http://:1"],
  ];
  for (const [env, line] of rows) {
    const { code, stderr } = await host.rt(["--config", config, "pull", "-q", "registry.test/a"], { env });
    expect(oneLine(stderr)).toMatch(line);
    expect(stderr).toContain("registry.test");
    expect(stderr).not.toContain("secret");
    expect(code).toBe(125);
  }
  const plain = await host.rt(["--config", config, "pull", "-q", "plain.test/a"], {
    env: { ALL_PROXY: failing.url },
  });
  expect(oneLine(plain.stderr)).toContain(`through the proxy ${failing.url} (ALL_PROXY)`);
});
