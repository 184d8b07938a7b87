/**
 * An engine that does nothing: what it is asked is kept, and it answers what the test gave it. For commands, without root.
 *
 *   const engine = fakeEngine({ container: { list: async () => [summary] } });
 *   await runCli(["ps", "-q"], { ...capture(), openEngine: engine.open });
 *   expect(engine.asked).toEqual([["container.list", { all: false, filters: {}, size: false }]]);
 */
import { RtError } from "../../src/base/errors.ts";
import type { EngineOptions } from "../../src/cli/engine-place.ts";
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
} from "../../src/engine/engine.ts";
import type { Session } from "../../src/engine/session.ts";

export interface FakeEngine {
  /** For `Context.openEngine`. */
  open(session: Session, options: EngineOptions): Promise<Engine>;
  /** The verbs that were called, with their arguments. */
  readonly asked: [verb: string, ...args: unknown[]][];
  /** With what it was opened, once it was. */
  opened: { session: Session; options: EngineOptions } | undefined;
}

export interface FakeVerbs {
  container?: Partial<ContainerVerbs>;
  exec?: Partial<ExecVerbs>;
  image?: Partial<ImageVerbs>;
  volume?: Partial<VolumeVerbs>;
  network?: Partial<NetworkVerbs>;
  registry?: Partial<RegistryVerbs>;
  manifest?: Partial<ManifestVerbs>;
  system?: Partial<SystemVerbs>;
}

export function fakeEngine(verbs: FakeVerbs = {}): FakeEngine {
  const asked: FakeEngine["asked"] = [];
  const noun = <T extends object>(name: string, answers: Partial<T> = {}): T =>
    new Proxy(answers as T, {
      get:
        (own, verb) =>
        async (...args: unknown[]) => {
          asked.push([`${name}.${String(verb)}`, ...args]);
          const answer: unknown = Reflect.get(own, verb);
          if (typeof answer === "function") return answer(...args);
          throw new RtError("unsupported", `the fake engine cannot ${name} ${String(verb)}`);
        },
    });
  const engine: Engine = {
    container: noun<ContainerVerbs>("container", verbs.container),
    exec: noun<ExecVerbs>("exec", verbs.exec),
    image: noun<ImageVerbs>("image", verbs.image),
    volume: noun<VolumeVerbs>("volume", verbs.volume),
    network: noun<NetworkVerbs>("network", verbs.network),
    registry: noun<RegistryVerbs>("registry", verbs.registry),
    manifest: noun<ManifestVerbs>("manifest", verbs.manifest),
    system: noun<SystemVerbs>("system", verbs.system),
    as: () => engine,
    [Symbol.dispose]() {},
  };
  const fake: FakeEngine = {
    asked,
    opened: undefined,
    async open(session, options) {
      fake.opened = { session, options };
      return engine;
    },
  };
  return fake;
}
