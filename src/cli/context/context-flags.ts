import type { Context } from "../command.ts";

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
  const variable = (name: string) => env[`RT_${name}`] || (asDocker ? env[`DOCKER_${name}`] : undefined);
  if (place?.context !== undefined) return place.context;
  if (place?.host !== undefined || variable("HOST") !== undefined) return "default";
  const contexts = await contextsOf(context);
  return variable("CONTEXT") ?? (asDocker ? contexts.current() : undefined) ?? "default";
}
