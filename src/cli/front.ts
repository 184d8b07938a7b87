import { type Context, type GivenFlag, Option, RtCommand } from "./command.ts";
import type { EnginePlace } from "./engine-place.ts";
import { parseArgv } from "./grammar/argv.ts";
import { grammarOf } from "./grammar/grammar.ts";

/** The flags that may stand before the command. */
export class FrontCommand extends RtCommand {
  version = Option.Boolean("-v,--version", false, { description: "Print the version and quit" });
  host = Option.String("-H,--host", { description: "`ADDRESS` Engine: unix://, tcp:// or ssh:// (RT_HOST)" });
  contextName = Option.String("-c,--context", {
    description: "`NAME` Engine, by Docker's contexts (RT_CONTEXT)",
  });
  tls = Option.Boolean("--tls", { description: "Use TLS to the engine" });
  tlsVerify = Option.Boolean("--tlsverify", {
    description: "Use TLS, and verify the engine (RT_TLS_VERIFY)",
  });
  tlsCaCert = Option.String("--tlscacert", { description: "`FILE` Authority of its certificate, PEM" });
  tlsCert = Option.String("--tlscert", { description: "`FILE` Certificate to show it, PEM" });
  tlsKey = Option.String("--tlskey", { description: "`FILE` Its key, PEM" });
  words = Option.Proxy();
  override async execute(): Promise<number> {
    return 0;
  }
}

export interface Front {
  options: readonly GivenFlag[];
  /** The command and what follows it. */
  words: string[];
  answer: "help" | "version" | undefined;
  /** Which engine, where anything says it. */
  place: EnginePlace | undefined;
}

/** Of the flags that only stand in front: there are commands with flags of the same names. */
const placeFlags: Readonly<Record<string, Exclude<keyof EnginePlace, "asDocker">>> = {
  "-H": "host",
  "--host": "host",
  "-c": "context",
  "--context": "context",
  "--tls": "tls",
  "--tlsverify": "tlsVerify",
  "--tlscacert": "tlsCaCert",
  "--tlscert": "tlsCert",
  "--tlskey": "tlsKey",
};

export function frontOf(argv: readonly string[], { program, env }: Context): Front {
  const asDocker = program === "docker";
  const place: EnginePlace | undefined = asDocker ? { asDocker } : undefined;
  if (argv[0] === undefined) return { options: [], words: [], answer: "help", place };
  // The usual case costs nothing: the command comes first.
  if (!argv[0].startsWith("-")) return { options: [], words: [...argv], answer: undefined, place };
  const parsed = parseArgv(grammarOf(new FrontCommand()), argv, "", FrontCommand.later);
  const version = parsed.options.findLast(({ name }) => name === "-v" || name === "--version");
  if (version?.value === true) return { options: [], words: [], answer: "version", place };
  const answer = parsed.help || parsed.arguments.length === 0 ? "help" : undefined;
  const own = asDocker ? withoutDirectory(parsed.options, env) : parsed.options;
  const options = own.filter(({ name }) => !Object.hasOwn(placeFlags, name));
  const asked = parsed.options.filter(({ name }) => Object.hasOwn(placeFlags, name));
  const said = Object.fromEntries(asked.map(({ name, value }) => [placeFlags[name]!, value]));
  return {
    options,
    words: parsed.arguments,
    answer,
    place: asked.length > 0 ? { ...said, asDocker } : place,
  };
}

/** Docker's --config is a directory, that of its contexts and credentials, and no file of ours. */
function withoutDirectory(options: readonly GivenFlag[], env: NodeJS.ProcessEnv): GivenFlag[] {
  const directory = options.findLast(({ name }) => name === "--config")?.value;
  if (typeof directory === "string") env.DOCKER_CONFIG = directory;
  return options.filter(({ name }) => name !== "--config");
}
