/**
 * A real registry (Debian's docker-registry) on a free loopback port, with its own empty storage.
 *
 *   await using registry = await startRegistry({ auth: { user: "u", password: "p" } });
 *   `${registry.address}/debian:latest`
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { scratchDirectory } from "./scratch.ts";
import { Transcript, until } from "./wait.ts";

export interface RegistryOptions {
  /** HTTP Basic, by an htpasswd file. */
  auth?: { user: string; password: string };
  /** Bearer, by tokens of that server's. */
  token?: { realm: string; service: string; issuer: string; certificate: string };
}

export interface Registry extends AsyncDisposable {
  /** "127.0.0.1:PORT", as it stands in a reference. */
  readonly address: string;
  readonly url: string;
  /** Value of an Authorization header, where it wants one. */
  readonly authorization: string | undefined;
  readonly log: Transcript;
  /** Where it keeps what was pushed. */
  readonly storage: string;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  // Another process may take the free port between our look and the registry's bind.
  for (let attempt = 0; ; attempt++) {
    try {
      return await start(await freePort(), options);
    } catch (error) {
      if (attempt === 4 || !String(error).includes("address already in use")) throw error;
    }
  }
}

async function start(port: number, options: RegistryOptions): Promise<Registry> {
  const dir = await mkdtemp(join(scratchDirectory(), "rt-registry-"));
  const address = `127.0.0.1:${port}`;
  const config = join(dir, "config.yml");
  await Bun.write(config, await configuration(dir, address, options));
  const child = Bun.spawn(["docker-registry", "serve", config], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env.PATH ?? "", OTEL_TRACES_EXPORTER: "none" },
  });
  const log = new Transcript();
  void log.drain(child.stdout, child.stderr);
  const close = async () => {
    child.kill("SIGKILL");
    await child.exited;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await until("the registry answers", async () => {
      if (child.exitCode !== null)
        throw new Error(`docker-registry ended with ${child.exitCode}:\n${log.text}`);
      const status = await statusOf(`http://${address}/v2/`);
      return status === (options.auth || options.token ? 401 : 200);
    });
  } catch (error) {
    await close();
    throw error;
  }
  const { auth } = options;
  return {
    address,
    url: `http://${address}`,
    authorization: auth && `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString("base64")}`,
    log,
    storage: join(dir, "storage"),
    [Symbol.asyncDispose]: close,
  };
}

async function configuration(dir: string, address: string, options: RegistryOptions): Promise<string> {
  const lines = [
    "version: 0.1",
    "log: { level: info, accesslog: { disabled: false } }",
    `storage: { filesystem: { rootdirectory: ${join(dir, "storage")} }, delete: { enabled: true } }`,
    `http: { addr: "${address}" }`,
    // Layers that lie elsewhere: without this a manifest that names them is refused.
    'validation: { manifests: { urls: { allow: ["^https://"] } } }',
  ];
  if (options.auth) {
    const file = join(dir, "htpasswd");
    const hash = await Bun.password.hash(options.auth.password, { algorithm: "bcrypt", cost: 4 });
    await Bun.write(file, `${options.auth.user}:${hash}\n`);
    lines.push(`auth: { htpasswd: { realm: rt-test, path: ${file} } }`);
  }
  if (options.token) {
    const { realm, service, issuer, certificate } = options.token;
    const bundle = join(dir, "bundle.pem");
    await Bun.write(bundle, certificate);
    lines.push(
      `auth: { token: { realm: "${realm}", service: "${service}", issuer: "${issuer}", rootcertbundle: ${bundle} } }`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** undefined while nobody listens. */
async function statusOf(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url)).status;
  } catch (error) {
    if ((error as { code?: string }).code === "ECONNREFUSED") return undefined;
    throw error;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
