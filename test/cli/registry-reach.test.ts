/** `rt registry serve`: by whom it can be reached, how many at once, and what it costs when they are slow. */
import { expect } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { testHost } from "../support/host.ts";
import { needs } from "../support/root.ts";
import { type Served, serveRegistry } from "../support/served.ts";
import { namedTls, testAuthority } from "../support/test-tls.ts";
import { until } from "../support/wait.ts";

const { test } = needs({ root: true });

/** Connections that have sent this and no more, closed at the end. */
class Crowd implements Disposable {
  readonly sockets: Socket[] = [];
  readonly #port: number;
  open = 0;

  constructor({ address }: Served) {
    this.#port = Number(address.split(":")[1]);
  }

  async join(count: number, bytes: string): Promise<void> {
    const joined = Array.from({ length: count }, async () => {
      const socket = connect(this.#port, "127.0.0.1");
      this.sockets.push(socket);
      socket.on("error", () => {});
      socket.once("connect", () => this.open++);
      socket.once("close", () => this.open--);
      await new Promise<void>((resolve) => socket.once("connect", resolve));
      socket.write(bytes);
    });
    await Promise.all(joined);
  }

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

test("two hundred that send a header's bytes one by one are cut off, and are in nobody's way until then", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host);
  using crowd = new Crowd(served);
  await crowd.join(200, "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  const dripping = setInterval(() => {
    for (const socket of crowd.sockets) if (socket.writable) socket.write("a");
  }, 1000);
  try {
    const asked = Array.from({ length: 200 }, async () => (await fetch(`${served.url}/v2/`)).status);
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
    await until("all of them are closed", () => crowd.open === 0, 60_000);
  } finally {
    clearInterval(dripping);
  }
}, 120_000);

test("a connection that sends nothing is the kernel's alone: it takes no descriptor", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const descriptors = () => readdirSync(`/proc/${served.process.pid}/fd`).length;
  const before = descriptors();
  using crowd = new Crowd(served);
  await crowd.join(500, "");
  expect((await fetch(`${served.url}/v2/`)).status).toBe(200);
  expect(crowd.open).toBe(500);
  expect(descriptors() - before).toBeLessThan(10);
});

test("so many requests at once and no more; once they are gone others are served", async () => {
  await using host = await testHost();
  await using served = await serveRegistry(host, ["-q"]);
  const status = async () => (await fetch(`${served.url}/v2/`)).status;
  using crowd = new Crowd(served);
  const request = "PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{";
  await crowd.join(900, request);
  expect(await status()).toBe(200);
  await crowd.join(101, request);
  await until("it has them all", async () => (await status()) === 429);
  crowd[Symbol.dispose]();
  await until("they are gone", async () => (await status()) === 200);
});

test("by TLS, with an authority that the caller trusts; eight at once that log in", async () => {
  await using host = await testHost();
  const [cert, key, users, authority] = ["cert", "key", "users", "authority"].map((name) =>
    join(host.dir, name),
  ) as [string, string, string, string];
  writeFileSync(cert, namedTls.cert);
  writeFileSync(key, namedTls.key);
  writeFileSync(authority, testAuthority);
  const hash = Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 8 });
  writeFileSync(users, `ann:${hash}\n`);
  const flags = ["--tls-cert", cert, "--tls-key", key, "--htpasswd", users];
  await using served = await serveRegistry(host, flags);
  expect(served.url).toStartWith("https://");
  const tls = { ca: testAuthority };
  const status = async (word: string) => {
    const headers = { Authorization: `Basic ${btoa(`ann:${word}`)}` };
    return (await fetch(`${served.url}/v2/`, { headers, tls })).status;
  };
  const words = ["secret", "wrong", "secret", "secret", "secret!", "secret", "", "secret"];
  const expected = words.map((word) => (word === "secret" ? 200 : 401));
  expect(await Promise.all(words.map(status))).toEqual(expected);

  await host.ok(["pull", "-q", "embed:hello"]);
  await host.ok(["tag", "embed:hello", "team/web:1"]);
  await using other = await testHost();
  const name = `${served.address}/team/web:1`;
  const trust = { env: { SSL_CERT_FILE: authority } };
  expect((await other.rt(["pull", "-q", name])).stderr).toContain("cannot trust");
  expect((await other.rt(["pull", "-q", name], trust)).stderr).toContain("denied");
  const auths = { [served.address]: { auth: btoa("ann:secret") } };
  mkdirSync(join(other.env.HOME!, ".docker"), { recursive: true });
  writeFileSync(join(other.env.HOME!, ".docker/config.json"), JSON.stringify({ auths }), { mode: 0o600 });
  await other.ok(["pull", "-q", name], trust);
  const id = async (of: typeof host, reference: string) => of.ok(["inspect", "-f", "{{.Id}}", reference]);
  expect(await id(other, name)).toBe(await id(host, "embed:hello"));
});

test("when nobody reads what it says any more it serves on", async () => {
  await using host = await testHost();
  const closed = 'exec 2> >(:); wait $!; exec "$@"';
  await using served = await serveRegistry(host, [], { front: ["bash", "-c", closed, "bash"] });
  for (let i = 0; i < 3; i++) expect((await fetch(`${served.url}/v2/`)).status).toBe(200);
});
