import { readFile } from "node:fs/promises";
import { RtError, withCause } from "../../base/errors.ts";
import { Accounts } from "../../distribution/accounts.ts";
import { DistributionServer, listenAddress, type RequestLine } from "../../distribution/server.ts";
import { RepositoryStore } from "../../image/repository-store.ts";
import { defaultDomain } from "../../reference/reference.ts";
import { keepReserve } from "../../store/reserve.ts";
import { collectRarely } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { defaultLayerSizeMax } from "../image/unpack.ts";
import { Mirror } from "./mirror.ts";
import { Released } from "./released.ts";
import { Repositories } from "./repositories.ts";
import { upstreamDomain } from "./upstream.ts";
import { WithinLimit } from "./within-limit.ts";

export type { RequestLine } from "../../distribution/server.ts";

export interface ServeOptions {
  /** "127.0.0.1:5000"; port 0 is any that is free. */
  listen: string;
  readOnly: boolean;
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
  /** A file of users with bcrypt hashes. */
  htpasswd?: string | undefined;
  /** The registry that this is a mirror of. */
  upstream?: string | undefined;
  /** Beyond this machine without TLS. */
  insecure: boolean;
  /** It takes requests from now on, at this address. */
  onListening: (address: string) => void;
  onRequest: (line: RequestLine) => void;
}

const hour_ms = 3600_000;
const mirroredAge_ms = 7 * 24 * hour_ms;

/**
 * `rt registry serve`: this host's images to others, and theirs to this host, until the caller aborts. What is at work then gets a
 * while to come to its end.
 * @throws RtError invalid-argument | not-found | unavailable, before anything is served
 */
export async function serveRegistry(host: Host, options: ServeOptions): Promise<void> {
  const { host: address, port } = listenAddress(options.listen);
  const tls = await certificateOf(options);
  const isLoopback = isLoopbackAddress(address);
  if (!isLoopback && !tls && !options.insecure)
    throw new RtError(
      "invalid-argument",
      `others would reach ${options.listen} without TLS: give --tls-cert and --tls-key, or --insecure if that is meant`,
    );
  const accounts = options.htpasswd === undefined ? undefined : await Accounts.open(options.htpasswd);
  if (!isLoopback && !accounts)
    host.warn(
      `whoever reaches ${options.listen} may ${options.readOnly ? "pull" : "pull, push and delete"}: give --htpasswd`,
    );
  const content = await host.content();
  const config = await host.config();
  // What others push may fill the disk.
  host.database;
  keepReserve(host.paths.root);
  const failed = (error: unknown) => host.warn(withCause("in the registry", error).message);
  await using released = new Released(host, failed);
  await using limit = new WithinLimit(host, failed);
  const { upstream } = options;
  using mirror = upstream === undefined ? undefined : await mirrorOf(host, upstream, () => limit.arrived());
  const home = mirror?.domain ?? defaultDomain;
  const store = new Repositories({ host, content, released, limit, mirror }, home);
  const server = new DistributionServer({
    host: address,
    port,
    tls,
    store,
    accounts,
    isLoopback,
    hasUsers: accounts !== undefined,
    isReadOnly: options.readOnly,
    blobSizeMax: config.maxLayerSize ?? defaultLayerSizeMax,
    onRequest: options.onRequest,
    onBug: failed,
  });
  const rows = new RepositoryStore(host.database);
  const care = setInterval(() => {
    try {
      released.add(rows.forgetMirrored(Date.now() - mirroredAge_ms));
    } catch (error) {
      failed(error);
    }
    limit.arrived();
    collectRarely(host).catch(failed);
  }, hour_ms);
  try {
    options.onListening(server.address);
    await aborted(host.session.abort);
  } finally {
    clearInterval(care);
    await server.drain();
  }
}

async function mirrorOf(host: Host, upstream: string, onArrived: () => void): Promise<Mirror> {
  const domain = upstreamDomain(upstream);
  const { RegistrySource } = await import("../../source/registry.ts");
  const { parse } = await import("../../reference/reference.ts");
  const config = await host.config();
  const own = config.registries.get(domain);
  // Of a mirror's own mirrors this one may be one.
  const registries = new Map(config.registries);
  if (own) registries.set(domain, { ...own, mirrors: [] });
  const { env, caller } = host;
  const warn = (line: string) => host.warn(line);
  const open = async (reference: string) =>
    new RegistrySource(parse(reference), { config: { ...config, registries }, env, caller, warn });
  return new Mirror({
    host,
    content: await host.content(),
    rows: new RepositoryStore(host.database),
    domain,
    open,
    onArrived,
  });
}

async function certificateOf({
  tlsCert,
  tlsKey,
}: ServeOptions): Promise<{ cert: string; key: string } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new RtError("invalid-argument", "--tls-cert and --tls-key go together");
  try {
    return { cert: await readFile(tlsCert, "utf8"), key: await readFile(tlsKey, "utf8") };
  } catch (error) {
    throw withCause("cannot read the certificate", error);
  }
}

function isLoopbackAddress(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
