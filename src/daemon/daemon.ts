import { RtError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import type { Duplex } from "../http/duplex.ts";
import { listenUnix } from "./listen.ts";
import { ApiServer } from "./server.ts";

export interface DaemonOptions {
  /** Where to listen: "unix:///run/rt/rt.sock", several at once. */
  hosts: readonly string[];
  engine: Engine;
  /** It takes requests from now on, at these addresses. */
  onListening: (addresses: readonly string[]) => void;
  warn: (line: string) => void;
  /** Aborted: no more connections, and what is at work gets a while to come to its end. */
  abort: AbortSignal;
}

/** `rt daemon`, from its listening to its end. @throws RtError: an address that cannot be had, before anything is served */
export async function serveApi({ hosts, engine, onListening, warn, abort }: DaemonOptions): Promise<void> {
  const server = new ApiServer({
    engine,
    onBug: (error) => warn(error instanceof Error ? error.message : String(error)),
  });
  await using stack = new AsyncDisposableStack();
  const addresses: string[] = [];
  for (const host of hosts) {
    const path = /^unix:\/\/(\/.*)$/.exec(host)?.[1];
    if (path === undefined)
      throw new RtError("invalid-argument", `invalid -H ${JSON.stringify(host)}: want unix:///PATH`);
    const listener = await listenUnix(path, (wire) => void server.serve(wire));
    stack.defer(() => listener.stop());
    addresses.push(listener.address);
  }
  onListening(addresses);
  await new Promise<void>((resolve) => {
    if (abort.aborted) resolve();
    else abort.addEventListener("abort", () => resolve(), { once: true });
  });
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
