import { RtError } from "../base/errors.ts";
import { type Filters, hasLabel } from "../docker/filters.ts";
import type {
  ContainerVerbs,
  Engine,
  ExecVerbs,
  NetworkVerbs,
  RegistryVerbs,
  SystemVerbs,
  VolumeVerbs,
} from "../engine/engine.ts";
import type { PolicyRules } from "./policy-file.ts";
import { ImageRules } from "./policy-images.ts";
import { matchesAny } from "./policy-pattern.ts";
import { notAllowed } from "./policy-refusal.ts";
import {
  checkedSettings,
  checkNetwork,
  checkOwnResources,
  ownLinks,
  type SettingsContext,
} from "./policy-settings.ts";

/**
 * An engine, of which a policy leaves so much: each verb that can be had stands here, with what is checked of it; every other
 * one is refused. Containers without the policy's label are not there: a name is looked up first, and the verb gets the id of what
 * was found, so that a rename in between changes nothing.
 */
export function policyEngine(engine: Engine, rules: PolicyRules): Engine {
  const own = new OwnContainers(engine, rules);
  const images = new ImageRules(engine, rules);
  const context: SettingsContext = {
    rules,
    idOf: (name) => own.idOf(name),
    checkImage: (name) => images.check("create", name),
    networkOf: (text) => networkNameOf(engine, text),
  };
  return {
    container: only("container", containerVerbs(engine, own, images, context)),
    exec: only("exec", execVerbs(engine, own)),
    image: only("image", images.verbs()),
    volume: only("volume", volumeVerbs(engine, rules)),
    network: only("network", networkVerbs(engine, rules, own)),
    registry: only("registry", registryVerbs(engine, images)),
    manifest: only("manifest", {}),
    system: only("system", systemVerbs(engine, rules, own)),
    as: (session) => policyEngine(engine.as(session), rules),
    [Symbol.dispose]() {},
  };
}

/** What is not there is refused, also what other versions of the engine have. */
function only<T extends object>(noun: string, verbs: Partial<T>): T {
  return new Proxy(verbs as T, {
    get(own, verb) {
      if (typeof verb === "string" && Object.hasOwn(own, verb)) return Reflect.get(own, verb);
      return async () => {
        throw notAllowed(`${noun} ${String(verb)}`, "no policy allows it");
      };
    },
  });
}

/** A name that is none is told of later, by the engine. */
async function networkNameOf(engine: Engine, text: string): Promise<string> {
  try {
    return (await engine.network.inspect(text)).Name;
  } catch (error) {
    if (error instanceof RtError && error.code === "not-found") return text;
    throw error;
  }
}

/** The containers that are there for whoever asks. */
class OwnContainers {
  readonly #engine: Engine;
  readonly #label: PolicyRules["label"];

  constructor(engine: Engine, { label }: PolicyRules) {
    this.#engine = engine;
    this.#label = label;
  }

  /** @throws RtError not-found: there is none, or it is not for him; both in the same words */
  async idOf(name: string): Promise<string> {
    const found = await this.#found(name);
    if (found === undefined) throw new RtError("not-found", `No such container: ${name}`, { exitCode: 1 });
    return found;
  }

  async #found(name: string): Promise<string | undefined> {
    try {
      const { Id, Config } = await this.#engine.container.inspect(name);
      // Of a damaged one nobody knows its labels.
      return this.isOwn("Labels" in Config ? Config.Labels : {}) ? Id : undefined;
    } catch (error) {
      // One that is ambiguous tells of others.
      if (this.#label && error instanceof RtError && /^(not-found|invalid-argument)$/.test(error.code))
        return undefined;
      throw error;
    }
  }

  isOwn(labels: Readonly<Record<string, string>>): boolean {
    return this.#label === undefined || hasLabel(labels, this.#text);
  }

  /** Of those that are there. Where a filter names another one it tells whether, and when, that was made. */
  async filters(filters: Filters): Promise<Filters> {
    if (!this.#label) return filters;
    const own: Record<string, readonly string[]> = { ...filters };
    for (const key of ["before", "since"])
      if (own[key]) own[key] = await Promise.all(own[key].map((name) => this.idOf(name)));
    return { ...own, label: [...(filters.label ?? []), this.#text] };
  }

  /** Undefined: all. */
  async ids(): Promise<ReadonlySet<string> | undefined> {
    if (!this.#label) return undefined;
    const list = await this.#engine.container.list({ all: true, filters: await this.filters({}) });
    return new Set(list.map(({ id }) => id));
  }

  get #text(): string {
    return `${this.#label?.key}=${this.#label?.value}`;
  }
}

/** Of these the first argument is the container, and the rest is its own affair. */
const ofOne = [
  ...["start", "stop", "restart", "kill", "pause", "unpause", "wait", "rename", "remove", "resize"],
  ...["attach", "logs", "top", "diff", "why", "stat", "inspect"],
] as const;

type AnyVerb = (...args: unknown[]) => Promise<unknown>;

function containerVerbs(
  engine: Engine,
  own: OwnContainers,
  images: ImageRules,
  context: SettingsContext,
): Partial<ContainerVerbs> {
  const { container } = engine;
  const verbs = container as unknown as Record<string, AnyVerb>;
  const simple = ofOne.map((verb) => [
    verb,
    async (name: string, ...rest: unknown[]) => verbs[verb]!(await own.idOf(name), ...rest),
  ]);
  return {
    ...(Object.fromEntries(simple) as Partial<ContainerVerbs>),
    async create(options) {
      const settings = await checkedSettings(options.settings, context);
      const pull = await images.checkCreate(options.image, options.pull);
      return container.create({ ...options, settings, pull });
    },
    async exec(options) {
      checkExec(options);
      return container.exec({ ...options, container: await own.idOf(options.container) });
    },
    async update(name, options) {
      if ((options.deviceRules ?? []).length > 0) throw notAllowed("device rules", "none are changed");
      if (options.resources) checkOwnResources(options.resources);
      return container.update(await own.idOf(name), options);
    },
    async stats(options) {
      const names = await Promise.all(options.names.map((name) => own.idOf(name)));
      if (names.length === 0) throw notAllowed("the stats of all containers", "ask for one");
      return container.stats({ ...options, names });
    },
    async commit(name, options) {
      images.checkNew(options.reference);
      return container.commit(await own.idOf(name), options);
    },
    async export(name, file) {
      refuseFile(file);
      return container.export(await own.idOf(name));
    },
    async copyFrom(name, path, options) {
      refuseFile(options.to);
      return container.copyFrom(await own.idOf(name), path, options);
    },
    async copyTo(name, path, options) {
      refuseFile(options.from);
      return container.copyTo(await own.idOf(name), path, options);
    },
    list: async (options) => container.list({ ...options, filters: await own.filters(options.filters) }),
    prune: async ({ filters }) => container.prune({ filters: await own.filters(filters) }),
  };
}

/** Files of the host are for its own command line. */
function refuseFile(file: string | number | undefined): void {
  if (file !== undefined) throw notAllowed("a file of the host", "what comes and goes is the client's");
}

function checkExec({ privileged }: { privileged: boolean }): void {
  if (privileged) throw notAllowed("a privileged exec", "it has no more rights than its container");
}

function execVerbs({ exec }: Engine, own: OwnContainers): Partial<ExecVerbs> {
  const check = async (id: string) => {
    const found = await exec.inspect(id);
    try {
      await own.idOf(found.ContainerID);
    } catch (error) {
      if (!(error instanceof RtError) || error.code !== "not-found") throw error;
      throw new RtError("not-found", `No such exec instance: ${id}`, { exitCode: 1 });
    }
    return found;
  };
  const verbs = exec as unknown as Record<string, AnyVerb>;
  const later = {
    async create(options: { privileged: boolean; container: string }) {
      checkExec(options);
      return verbs.create!({ ...options, container: await own.idOf(options.container) });
    },
    async start(id: string, options: unknown) {
      await check(id);
      return verbs.start!(id, options);
    },
    async resize(id: string, size: unknown) {
      await check(id);
      return verbs.resize!(id, size);
    },
  };
  return { ...later, inspect: check } as Partial<ExecVerbs>;
}

function volumeVerbs({ volume }: Engine, { mounts, seesAll, where }: PolicyRules): Partial<VolumeVerbs> {
  const isSeen = (name: string) => seesAll || matchesAny(mounts.volumes, name);
  const mayChange = (name: string) => {
    if (!matchesAny(mounts.volumes, name)) throw notAllowed(`volume ${name}`, `mounts.volumes of ${where}`);
  };
  return {
    async create(options) {
      if (Object.keys(options.options).length > 0)
        throw notAllowed(
          "a volume with options of its driver",
          "its device could be any directory of the host",
        );
      if (options.name !== "") mayChange(options.name);
      return volume.create(options);
    },
    list: async (options) => (await volume.list(options)).filter(({ Name }) => isSeen(Name)),
    async inspect(name) {
      if (!isSeen(name)) throw new RtError("not-found", `get ${name}: no such volume`, { exitCode: 1 });
      return volume.inspect(name);
    },
    async remove(name, options) {
      mayChange(name);
      return volume.remove(name, options);
    },
  };
}

function networkVerbs({ network }: Engine, rules: PolicyRules, own: OwnContainers): Partial<NetworkVerbs> {
  const { networks, seesAll, where } = rules;
  const isSeen = (name: string) => seesAll || /^(bridge|host|none)$/.test(name) || matchesAny(networks, name);
  const found = async (name: string) => {
    const document = await network.inspect(name);
    if (isSeen(document.Name)) return document;
    throw new RtError("not-found", `network ${name} not found`, { exitCode: 1 });
  };
  const withOwn = <T extends { Containers: Record<string, unknown> }>(
    document: T,
    ids: ReadonlySet<string> | undefined,
  ) => {
    const entries = Object.entries(document.Containers).filter(([id]) => ids === undefined || ids.has(id));
    return { ...document, Containers: Object.fromEntries(entries) as T["Containers"] };
  };
  return {
    async create(options) {
      const { name, driver, subnets, gateways, ranges } = options;
      if (!matchesAny(networks, name)) throw notAllowed(`network ${name}`, `networks of ${where}`);
      if (driver !== "" && driver !== "bridge")
        throw notAllowed(`a network by ${driver}`, "it could be the host's own");
      if (Object.keys(options.options).length > 0)
        throw notAllowed("a network with options of its driver", "they are about the host");
      if ([...subnets, ...gateways, ...ranges].length > 0)
        throw notAllowed(
          "a network with addresses of its choice",
          "what the host sends to them elsewhere would come there",
        );
      return network.create(options);
    },
    async list(options) {
      const ids = await own.ids();
      return (await network.list(options))
        .filter(({ Name }) => isSeen(Name))
        .map((each) => withOwn(each, ids));
    },
    inspect: async (name) => withOwn(await found(name), await own.ids()),
    async remove(name, options) {
      const { Name, Id } = await found(name);
      if (!matchesAny(networks, Name)) throw notAllowed(`network ${Name}`, `networks of ${where}`);
      return network.remove(Id, options);
    },
    async connect(name, container, options) {
      const { Name, Id } = await found(name);
      checkNetwork(Name, rules);
      const links = await ownLinks(options.links, (each) => own.idOf(each));
      return network.connect(Id, await own.idOf(container), { ...options, links });
    },
    async disconnect(name, container, options) {
      const { Name, Id } = await found(name);
      checkNetwork(Name, rules);
      return network.disconnect(Id, await own.idOf(container), options);
    },
  };
}

/** Accounts are the host's. */
function registryVerbs({ registry }: Engine, images: ImageRules): Partial<RegistryVerbs> {
  return {
    async search(text, options) {
      // "HOST/TERM" asks that host.
      if (text.includes("/")) images.checkName("pull", text);
      return registry.search(text, options);
    },
  };
}

function systemVerbs({ system }: Engine, rules: PolicyRules, own: OwnContainers): Partial<SystemVerbs> {
  const { label, mounts, seesAll } = rules;
  return {
    version: () => system.version(),
    info: () => system.info(),
    async diskUsage() {
      const [usage, ids] = [await system.diskUsage(), await own.ids()];
      return {
        ...usage,
        containers: usage.containers.filter(({ id }) => ids === undefined || ids.has(id)),
        volumes: usage.volumes.filter(({ Name }) => seesAll || matchesAny(mounts.volumes, Name)),
      };
    },
    async events(options) {
      const events = await system.events(options);
      if (!label) return events;
      return (async function* () {
        for await (const event of events)
          if (event.Type === "container" && own.isOwn(event.Actor.Attributes)) yield event;
      })();
    },
  };
}
