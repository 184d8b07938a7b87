import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { RtError } from "./errors.ts";
import { rootlessCaller } from "./rootless.ts";
import { runtimeDirectory } from "./runtime-directory.ts";
import { livesIn, notedState } from "./user-state.ts";

/** The two directories that everything of ours lives in: `root` survives a reboot, `state` does not. */
export interface Paths {
  root: string;
  state: string;
}

/** --root / RT_ROOT, --state / RT_STATE, else the system's places, else (an ordinary user) the XDG ones. All absolute. */
export function resolvePaths(options: { root?: string; state?: string }, env = process.env): Paths {
  const user = ordinaryUser(env);
  const root = absolute(
    options.root ?? env.RT_ROOT ?? (user === undefined ? "/var/lib/rt" : dataHome(env)),
    "--root",
  );
  const given = options.state ?? env.RT_STATE;
  if (given === undefined && user !== undefined) return { root, state: userState(root, env, user) };
  return { root, state: absolute(given ?? "/run/rt", "--state") };
}

/**
 * A login has another XDG_RUNTIME_DIR than cron or su, and the same containers: where some of this store run, their directory is
 * that of every command, until the last has ended.
 */
function userState(root: string, env: NodeJS.ProcessEnv, user: number): string {
  const noted = notedState(root);
  return noted !== undefined && livesIn(noted) ? noted : join(runtimeDirectory(env, user), "rt");
}

/** His number on the host, whether or not he is in his namespace yet; undefined: root. */
function ordinaryUser(env: NodeJS.ProcessEnv): number | undefined {
  const uid = rootlessCaller(env)?.uid ?? process.geteuid!();
  return uid === 0 ? undefined : uid;
}

function dataHome(env: NodeJS.ProcessEnv): string {
  if (env.XDG_DATA_HOME?.startsWith("/")) return join(env.XDG_DATA_HOME, "rt");
  const home = env.HOME;
  const remedy = "set HOME to your home directory, or XDG_DATA_HOME, or use --root";
  if (!home?.startsWith("/"))
    throw new RtError(
      "invalid-argument",
      `there is no place for images and containers: HOME is not set: ${remedy}`,
    );
  try {
    accessSync(home, constants.X_OK);
  } catch {
    const why = `HOME is ${home}, which is not there, or not yours to enter (sudo -H, su -)`;
    throw new RtError("forbidden", `there is no place for images and containers: ${why}: ${remedy}`);
  }
  return join(home, ".local/share/rt");
}

function absolute(path: string, what: string): string {
  if (path.startsWith("/") && !path.includes("\0")) return path.replace(/\/+$/, "") || "/";
  throw new RtError("invalid-argument", `${what} ${JSON.stringify(path)} is not an absolute path`);
}
