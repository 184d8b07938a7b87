import type { Engine } from "../engine/engine.ts";
import type { Duplex } from "../http/duplex.ts";
import { isLoopbackHost, parseListenAddress } from "./address.ts";
import { notifyManager } from "./descriptors.ts";
import { type Listener, listenUnix } from "./listen.ts";
import { InheritedSockets, listenInherited } from "./listen-inherited.ts";
import { listenTcp, type TlsFiles } from "./listen-tcp.ts";
import { policyOf } from "./policy.ts";
import { ApiServer, type ConnectionFacts } from "./server.ts";

export interface DaemonOptions {
  /** Where to listen: "unix:///run/rt/rt.sock", several at once (address.ts). */
  hosts: readonly string[];
  engine: Engine;
  /** Whose members may use unix sockets besides their owner. */
  group?: number | undefined;
  /** Of ports. */
  tls?: TlsFiles | undefined;
  /** It ends when nobody has been connected for so long; undefined: never. */
  idleTimeout_ms?: number | undefined;
  env: NodeJS.ProcessEnv;
  /** It takes requests from now on, at these addresses. */
  onListening: (addresses: readonly string[]) => void;
  warn: (line: string) => void;
  /** Aborted: no more connections, and what is at work gets a while to come to its end. */
  abort: AbortSignal;
}

/** For what is at work when it ends. */
const drain_ms = 10_000;

/** `rt daemon`, from its listening to its end. @throws RtError: an address that cannot be had, before anything is served */
export async function serveApi(options: DaemonOptions): Promise<void> {
  const { hosts, engine, warn, abort, env } = options;
  const addresses = hosts.map(parseListenAddress);
  const policies = await Promise.all(addresses.map(({ policy }) => policyOf(policy)));
  const end = Promise.withResolvers<void>();
  const idle = new Idle(options.idleTimeout_ms, () => end.resolve());
  const server = new ApiServer({
    engine,
    onBug: (error) => warn(error instanceof Error ? error.message : String(error)),
    onConnections: (count) => idle.connections(count),
  });
  const inherited = new InheritedSockets(env);
  const listeners: Listener[] = [];
  try {
    for (const [index, { place }] of addresses.entries()) {
      const policy = policies[index];
      const accept = (facts: ConnectionFacts) => (wire: Parameters<ApiServer["serve"]>[0]) =>
        void server.serve(wire, facts);
      if (place.kind === "unix") {
        listeners.push(await listenUnix(place.path, accept({ policy }), { group: options.group }));
      } else if (place.kind === "tcp") {
        listeners.push(
          listenTcp(place, options.tls, accept({ policy, listening: listeningOf(place.host, options.tls) })),
        );
      } else {
        for (const fd of inherited.take(place)) listeners.push(await listenInherited(fd, accept({ policy })));
      }
    }
    options.onListening(listeners.map(({ address }) => address));
    notifyManager(env, "READY=1");
    idle.connections(0);
    if (abort.aborted) end.resolve();
    else abort.addEventListener("abort", () => end.resolve(), { once: true });
    await end.promise;
    notifyManager(env, "STOPPING=1");
  } finally {
    idle.stop();
    for (const listener of listeners) listener.stop();
  }
  await server.drain(drain_ms);
}

function listeningOf(host: string, tls: TlsFiles | undefined): NonNullable<ConnectionFacts["listening"]> {
  const hasUsers = tls?.clientAuthority !== undefined;
  return { isLoopback: isLoopbackHost(host), hasUsers, scheme: tls ? "https" : "http" };
}

/** What many requests have left is given back when nobody has been connected for so long. */
const rest_ms = 1000;

/** The time in which nobody is connected. */
class Idle {
  readonly #timeout_ms: number | undefined;
  readonly #over: () => void;
  #timers: ReturnType<typeof setTimeout>[] = [];
  #isStopped = false;

  constructor(timeout_ms: number | undefined, over: () => void) {
    this.#timeout_ms = timeout_ms;
    this.#over = over;
  }

  connections(count: number): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    if (count > 0 || this.#isStopped) return;
    this.#timers.push(setTimeout(() => Bun.shrink(), rest_ms));
    if (this.#timeout_ms !== undefined) this.#timers.push(setTimeout(this.#over, this.#timeout_ms));
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

/** The API on one connection that somebody else has made, until it ends. */
export async function serveOne(
  { engine, warn }: Pick<DaemonOptions, "engine" | "warn">,
  wire: Duplex,
): Promise<void> {
  const server = new ApiServer({
    engine,
    onBug: (error) => warn(error instanceof Error ? error.message : String(error)),
  });
  await server.serve(wire);
}
