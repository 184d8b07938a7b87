import { resolvePaths } from "../base/paths.ts";
import type {
  ContainerVerbs,
  Engine,
  ExecVerbs,
  ImageVerbs,
  ManifestVerbs,
  NetworkVerbs,
  RegistryVerbs,
  SystemVerbs,
  VolumeVerbs,
} from "./engine.ts";
import type { Host, HostOptions } from "./host.ts";
import type { Session } from "./session.ts";

export interface LocalOptions extends HostOptions {
  /** What is asked for needs root, or an ordinary user's own namespace: the words for the message ("container rm"). */
  privileged?: string | undefined;
}

/**
 * The engine in this process. Each verb is loaded when it is asked for, and what it works on with the first that needs it.
 * An ordinary user's command that needs his namespace begins anew in there, the first time.
 * @throws RtError forbidden: he cannot have one; not-found | invalid-argument: what the options name
 */
export async function openLocal(session: Session, options: LocalOptions): Promise<Engine> {
  const { privileged } = options;
  if (privileged !== undefined && process.geteuid?.() !== 0) {
    const env = options.env ?? process.env;
    const { root, state } = options;
    // Who has no place for anything needs no namespace either, and no advice about it.
    resolvePaths({ ...(root !== undefined && { root }), ...(state !== undefined && { state }) }, env);
    const { enterUserNamespace } = await import("../rootless/enter.ts");
    await enterUserNamespace(env, (line) => session.warn(line));
  }
  const hosts = new Hosts(session, options);
  // A name that is mistyped is told of, also where the command has no use for what it names.
  if (options.config !== undefined || options.storageDriver !== undefined) await (await hosts.get()).check();
  return engineOf(hosts);
}

/** The host of a session, made when it is first asked for; those of other sessions share what it has opened. */
class Hosts implements Disposable {
  readonly #session: Session;
  readonly #options: HostOptions;
  readonly #first: Hosts | undefined;
  #host: Promise<Host> | undefined;
  #made: Host | undefined;

  constructor(session: Session, options: HostOptions, first?: Hosts) {
    this.#session = session;
    this.#options = options;
    this.#first = first;
  }

  get(): Promise<Host> {
    this.#host ??= this.#make();
    return this.#host;
  }

  as(session: Session): Hosts {
    return new Hosts(session, this.#options, this.#first ?? this);
  }

  async #make(): Promise<Host> {
    if (this.#first) return (await this.#first.get()).as(this.#session);
    const { Host } = await import("./host.ts");
    this.#made = new Host(this.#session, this.#options);
    return this.#made;
  }

  /** Closes what was opened, for the other sessions too. */
  [Symbol.dispose](): void {
    this.#made?.close();
  }
}

/** A daemon makes one for each request, which uses one verb: nouns are made when they are asked for. */
function engineOf(hosts: Hosts): Engine {
  return {
    get container() {
      return containerVerbs(hosts);
    },
    get exec() {
      return execVerbs(hosts);
    },
    get image() {
      return imageVerbs(hosts);
    },
    get volume() {
      return volumeVerbs(hosts);
    },
    get network() {
      return networkVerbs(hosts);
    },
    get registry() {
      return registryVerbs(hosts);
    },
    get manifest() {
      return manifestVerbs(hosts);
    },
    get system() {
      return systemVerbs(hosts);
    },
    as: (session) => engineOf(hosts.as(session)),
    [Symbol.dispose]: () => hosts[Symbol.dispose](),
  };
}

function containerVerbs(hosts: Hosts): ContainerVerbs {
  return {
    run: async (options) => (await import("./container/run.ts")).run(await hosts.get(), options),
    attach: async (name, options) =>
      (await import("./container/attach.ts")).attach(await hosts.get(), name, options),
    resize: async (name, size) =>
      (await import("./container/resize.ts")).resizeContainer(await hosts.get(), name, size),
    exec: async (options) => (await import("./container/exec.ts")).exec(await hosts.get(), options),
    conclude: async (id) => (await import("./container/conclude.ts")).concludeAlone(await hosts.get(), id),
    restartByPolicy: async (id) =>
      (await import("./container/restart-by-policy.ts")).restartByPolicy(await hosts.get(), id),
    kill: async (name, signal) => (await import("./container/kill.ts")).kill(await hosts.get(), name, signal),
    create: async (options) =>
      (await import("./container/create.ts")).createContainer(await hosts.get(), options),
    start: async (name, options) =>
      (await import("./container/start.ts")).start(await hosts.get(), name, options),
    restart: async (name, options) =>
      (await import("./container/restart.ts")).restart(await hosts.get(), name, options),
    stop: async (name, options) =>
      (await import("./container/stop.ts")).stop(await hosts.get(), name, options),
    wait: async (name, options) =>
      (await import("./container/wait.ts")).wait(await hosts.get(), name, options),
    pause: async (name) => (await import("./container/pause.ts")).pause(await hosts.get(), name),
    unpause: async (name) => (await import("./container/pause.ts")).unpause(await hosts.get(), name),
    rename: async (name, newName) =>
      (await import("./container/rename.ts")).renameContainer(await hosts.get(), name, newName),
    update: async (name, options) =>
      (await import("./container/update.ts")).updateContainer(await hosts.get(), name, options),
    top: async (name, psArguments) =>
      (await import("./container/top.ts")).top(await hosts.get(), name, psArguments),
    stats: async (options) =>
      (await import("./container/stats.ts")).containerStats(await hosts.get(), options),
    logs: async (name, options) =>
      (await import("./container/logs.ts")).logs(await hosts.get(), name, options),
    publish: async (name, ports) =>
      (await import("./container/publish.ts")).publishPorts(await hosts.get(), name, ports),
    unpublish: async (name, ports) =>
      (await import("./container/publish.ts")).unpublishPorts(await hosts.get(), name, ports),
    why: async (name) => (await import("./container/why.ts")).why(await hosts.get(), name),
    diff: async (name) => (await import("./container/diff.ts")).diff(await hosts.get(), name),
    commit: async (name, options) =>
      (await import("./container/commit.ts")).commitContainer(await hosts.get(), name, options),
    export: async (name, file) =>
      (await import("./container/export.ts")).exportContainer(await hosts.get(), name, file),
    stat: async (name, path) => (await import("./container/stat.ts")).statPath(await hosts.get(), name, path),
    copyFrom: async (name, path, options) =>
      (await import("./container/copy.ts")).copyFrom(await hosts.get(), name, path, options),
    copyTo: async (name, path, options) =>
      (await import("./container/copy.ts")).copyTo(await hosts.get(), name, path, options),
    list: async (options) => (await import("./container/list.ts")).list(await hosts.get(), options),
    inspect: async (name, options) =>
      (await import("./container/inspect.ts")).inspectContainer(await hosts.get(), name, options),
    remove: async (name, options) =>
      (await import("./container/remove.ts")).removeContainer(await hosts.get(), name, options),
    prune: async (options) =>
      (await import("./container/prune.ts")).pruneContainers(await hosts.get(), options),
  };
}

function execVerbs(hosts: Hosts): ExecVerbs {
  return {
    create: async (options) => (await import("./exec/create.ts")).createExec(await hosts.get(), options),
    start: async (id, options) => (await import("./exec/start.ts")).startExec(await hosts.get(), id, options),
    resize: async (id, size) => (await import("./exec/resize.ts")).resizeExec(await hosts.get(), id, size),
    inspect: async (id) => (await import("./exec/inspect.ts")).inspectExec(await hosts.get(), id),
  };
}

function imageVerbs(hosts: Hosts): ImageVerbs {
  return {
    pull: async (reference, options) =>
      (await import("./image/pull.ts")).pull(await hosts.get(), reference, options),
    push: async (name, options) => (await import("./image/push.ts")).push(await hosts.get(), name, options),
    pushAll: async (repository, options) =>
      (await import("./image/push.ts")).pushAll(await hosts.get(), repository, options),
    save: async (names, options) =>
      (await import("./image/save.ts")).saveImages(await hosts.get(), names, options),
    load: async (options) => (await import("./image/load.ts")).loadImages(await hosts.get(), options),
    import: async (options) => (await import("./image/import.ts")).importImage(await hosts.get(), options),
    copy: async (from, to, options) =>
      (await import("./image/copy.ts")).copyImage(await hosts.get(), from, to, options),
    list: async (options) => (await import("./image/list.ts")).listImages(await hosts.get(), options),
    inspect: async (name, options) =>
      (await import("./image/inspect.ts")).inspectImage(await hosts.get(), name, options),
    history: async (name, options) =>
      (await import("./image/history.ts")).imageHistoryOf(await hosts.get(), name, options),
    tag: async (source, targets) =>
      (await import("./image/tag.ts")).tagImage(await hosts.get(), source, targets),
    untag: async (name, names) => (await import("./image/tag.ts")).untagImage(await hosts.get(), name, names),
    remove: async (name, options) =>
      (await import("./image/remove.ts")).removeImage(await hosts.get(), name, options),
    prune: async (options) => (await import("./image/prune.ts")).pruneImages(await hosts.get(), options),
    distribution: async (reference, options) =>
      (await import("./image/distribution.ts")).distribution(await hosts.get(), reference, options),
    pack: async (options) => (await import("./image/pack.ts")).pack(await hosts.get(), options),
  };
}

function volumeVerbs(hosts: Hosts): VolumeVerbs {
  return {
    create: async (options) => (await import("./volume/create.ts")).createVolume(await hosts.get(), options),
    list: async (options) => (await import("./volume/list.ts")).listVolumes(await hosts.get(), options),
    inspect: async (name) => (await import("./volume/inspect.ts")).inspectVolume(await hosts.get(), name),
    remove: async (name, options) =>
      (await import("./volume/remove.ts")).removeVolume(await hosts.get(), name, options),
    prune: async (options) => (await import("./volume/prune.ts")).pruneVolumes(await hosts.get(), options),
  };
}

function networkVerbs(hosts: Hosts): NetworkVerbs {
  return {
    create: async (options) =>
      (await import("./network/create.ts")).createNetwork(await hosts.get(), options),
    list: async (options) => (await import("./network/list.ts")).listNetworks(await hosts.get(), options),
    inspect: async (name) => (await import("./network/inspect.ts")).inspectNetwork(await hosts.get(), name),
    remove: async (name, options) =>
      (await import("./network/remove.ts")).removeNetwork(await hosts.get(), name, options),
    connect: async (name, container, options) =>
      (await import("./network/connect.ts")).connectNetwork(await hosts.get(), name, container, options),
    disconnect: async (name, container, options) =>
      (await import("./network/disconnect.ts")).disconnectNetwork(
        await hosts.get(),
        name,
        container,
        options,
      ),
    reload: async () => (await import("./network/reload.ts")).reloadNetworks(await hosts.get()),
    prune: async (options) => (await import("./network/prune.ts")).pruneNetworks(await hosts.get(), options),
  };
}

function registryVerbs(hosts: Hosts): RegistryVerbs {
  return {
    account: async (server) => (await import("./registry/credentials.ts")).account(await hosts.get(), server),
    credentials: async (repository) =>
      (await import("./registry/credentials.ts")).ownCredentials(await hosts.get(), repository),
    login: async (options) => (await import("./registry/login.ts")).login(await hosts.get(), options),
    logout: async (server) => (await import("./registry/logout.ts")).logout(await hosts.get(), server),
    search: async (text, options) =>
      (await import("./registry/search.ts")).search(await hosts.get(), text, options),
    serve: async (options) => (await import("./registry/serve.ts")).serveRegistry(await hosts.get(), options),
  };
}

function manifestVerbs(hosts: Hosts): ManifestVerbs {
  return {
    inspect: async (reference, options) =>
      (await import("./manifest/inspect.ts")).inspectManifest(await hosts.get(), reference, options),
    create: async (list, manifests, options) =>
      (await import("./manifest/create.ts")).createList(await hosts.get(), list, manifests, options),
    annotate: async (list, manifest, annotation) =>
      (await import("./manifest/annotate.ts")).annotateList(await hosts.get(), list, manifest, annotation),
    push: async (list, options) =>
      (await import("./manifest/push.ts")).pushList(await hosts.get(), list, options),
    remove: async (list) => (await import("./manifest/remove.ts")).removeList(await hosts.get(), list),
  };
}

function systemVerbs(hosts: Hosts): SystemVerbs {
  return {
    events: async (options) => (await import("./system/events.ts")).events(await hosts.get(), options),
    check: async () => (await import("./system/check.ts")).checkStore(await hosts.get()),
    checkHost: async () => (await import("./system/check-host.ts")).checkHost(await hosts.get()),
    diskUsage: async () => (await import("./system/disk-usage.ts")).diskUsage(await hosts.get()),
    // Whoever asks this engine is in its process: there is nobody else, and no work of his that he does not know.
    jobs: async () => [],
    info: async () => (await import("./system/info.ts")).info(await hosts.get()),
    seccomp: async (container) =>
      (await import("./system/seccomp.ts")).filterFacts(await hosts.get(), container),
    unshare: async (command) => (await import("./system/unshare.ts")).unshare(await hosts.get(), command),
    migrate: async () => (await import("./system/migrate.ts")).migrate(await hosts.get()),
    receive: async () => (await import("./system/receive.ts")).receiveFromPeer(await hosts.get()),
    send: async () => (await import("./system/send.ts")).sendToPeer(await hosts.get()),
    version: async () => (await import("./system/version.ts")).engineVersion(),
    up: async (options) => (await import("./system/up.ts")).up(await hosts.get(), options),
    down: async (options) => (await import("./system/down.ts")).down(await hosts.get(), options),
  };
}
