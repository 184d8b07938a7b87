import { existsSync } from "node:fs";
import { join } from "node:path";
import { isExecutable } from "../base/executable.ts";
import { resolvePaths } from "../base/paths.ts";
import { parseSignal } from "../base/signals.ts";
import type { Context } from "./command.ts";

/** Where Docker's command line looks for its plug-ins, the user's own first (docker/cli, cli-plugins/manager). */
function directories(env: NodeJS.ProcessEnv): string[] {
  const own = env.DOCKER_CONFIG || (env.HOME && join(env.HOME, ".docker"));
  return [
    ...(own ? [join(own, "cli-plugins")] : []),
    ...["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"].map(
      (directory) => `${directory}/docker/cli-plugins`,
    ),
  ];
}

/** The program that a word means which is no command of ours: "compose". */
export function findPlugin(word: string, env: NodeJS.ProcessEnv): string | undefined {
  if (!/^[a-z][a-z0-9]*$/.test(word)) return undefined;
  return directories(env)
    .map((directory) => join(directory, `docker-${word}`))
    .find(isExecutable);
}

const usualSocket = "/var/run/docker.sock";

/**
 * A plug-in speaks to a daemon by itself. It gets the whole command line, as Docker's own gives it, and the caller's terminal and
 * environment; where nothing says which daemon, and Docker's is not there, it is the one of `rt daemon`.
 * @returns its exit status
 */
export async function runPlugin(
  program: string,
  argv: readonly string[],
  { env, caller }: Context,
): Promise<number> {
  const own = caller.all();
  if (!own.DOCKER_HOST && !own.DOCKER_CONTEXT && !existsSync(usualSocket))
    own.DOCKER_HOST = `unix://${resolvePaths({}, env).state}/rt.sock`;
  const child = Bun.spawn([program, ...argv], {
    env: own,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  });
  // From a terminal it has them already; it decides what they mean.
  const forward = (name: NodeJS.Signals) => void (name === "SIGTERM" && child.kill(name));
  const names = ["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"] as const;
  for (const name of names) process.on(name, forward);
  const status = await child.exited;
  for (const name of names) process.off(name, forward);
  return child.signalCode ? 128 + parseSignal(String(child.signalCode)).number : status;
}
