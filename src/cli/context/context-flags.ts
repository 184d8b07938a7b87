import type { Context } from "../command.ts";
import { engineVariable } from "../engine-place.ts";

/** Docker's contexts, of whoever calls. */
export async function contextsOf({ env }: Context) {
  const [{ EngineContexts }, { dockerDirectory }] = await Promise.all([
    import("../../remote/contexts.ts"),
    import("../elsewhere.ts"),
  ]);
  return new EngineContexts(dockerDirectory(env));
}

/** The one that commands go by unless they say otherwise. */
export async function currentContext(context: Context): Promise<string> {
  const { env, place, program } = context;
  const asDocker = program === "docker";
  if (place?.context !== undefined) return place.context;
  if (place?.host !== undefined || engineVariable(env, asDocker, "HOST") !== undefined) return "default";
  const contexts = await contextsOf(context);
  return engineVariable(env, asDocker, "CONTEXT") ?? (asDocker ? contexts.current() : undefined) ?? "default";
}

/** What is meant where no context is: the address that a variable has, or else this process. */
export function defaultEngine({ env, program }: Context): { description: string; host: string } {
  const name = ["RT_HOST", ...(program === "docker" ? ["DOCKER_HOST"] : [])].find((name) => env[name]);
  if (name === undefined) return { description: "The engine of this process", host: "" };
  return { description: `What ${name} says`, host: env[name]! };
}
