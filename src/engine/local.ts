import { needsRoot } from "../base/errors.ts";
import type { ContainerVerbs, Engine, ImageVerbs, SystemVerbs } from "./engine.ts";
import { Host, type HostOptions } from "./host.ts";
import type { Session } from "./session.ts";

export interface LocalOptions extends HostOptions {
  /** What is asked for needs root: the words for the message ("container rm"). */
  privileged?: string | undefined;
}

/**
 * The engine in this process. Each verb is loaded when it is asked for.
 * @throws RtError forbidden: not root; not-found | invalid-argument: what the options name
 */
export async function openLocal(session: Session, options: LocalOptions): Promise<Engine> {
  const { privileged } = options;
  if (privileged !== undefined && process.geteuid?.() !== 0) throw needsRoot(privileged);
  const host = new Host(session, options);
  // A name that is mistyped is told of, also where the command has no use for what it names.
  if (options.config !== undefined || options.storageDriver !== undefined) await host.check();
  return engineOf(host);
}

export function engineOf(host: Host): Engine {
  return {
    container: containerVerbs(host),
    image: imageVerbs(host),
    system: systemVerbs(host),
    as: (session) => engineOf(host.as(session)),
    [Symbol.dispose]: () => host.close(),
  };
}

function containerVerbs(host: Host): ContainerVerbs {
  return {
    run: async (options) => (await import("./container/run.ts")).run(host, options),
    attach: async (name, options) => (await import("./container/attach.ts")).attach(host, name, options),
    exec: async (options) => (await import("./container/exec.ts")).exec(host, options),
    kill: async (name, signal) => (await import("./container/kill.ts")).kill(host, name, signal),
    list: async (options) => (await import("./container/list.ts")).list(host, options),
    inspect: async (name) => (await import("./inspect.ts")).inspectContainer(host, name),
    remove: async (name, options) =>
      (await import("./container/remove.ts")).removeContainer(host, name, options),
  };
}

function imageVerbs(host: Host): ImageVerbs {
  return {
    pull: async (reference, options) => (await import("./image/pull.ts")).pull(host, reference, options),
    list: async (options) => (await import("./image/list.ts")).listImages(host, options),
    inspect: async (name) => (await import("./inspect.ts")).inspectImage(host, name),
    remove: async (name, options) => (await import("./image/remove.ts")).removeImage(host, name, options),
    pack: async (options) => (await import("./image/pack.ts")).pack(host, options),
  };
}

function systemVerbs(host: Host): SystemVerbs {
  return {
    info: async () => (await import("./system/info.ts")).info(host),
    version: async () => (await import("./system/version.ts")).version(),
  };
}
