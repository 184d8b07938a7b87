import { join } from "node:path";
import { RtError } from "./errors.ts";

/** The two directories that everything of ours lives in: `root` survives a reboot, `state` does not. */
export interface Paths {
  root: string;
  state: string;
}

/** --root / RT_ROOT, --state / RT_STATE, else the system's places, else (not root) the XDG ones. All absolute. */
export function resolvePaths(options: { root?: string; state?: string }, env = process.env): Paths {
  const rootless = process.getuid?.() !== 0;
  return {
    root: absolute(options.root ?? env.RT_ROOT ?? (rootless ? dataHome(env) : "/var/lib/rt"), "--root"),
    state: absolute(
      options.state ?? env.RT_STATE ?? (rootless ? runtimeDirectory(env) : "/run/rt"),
      "--state",
    ),
  };
}

function dataHome(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_DATA_HOME || join(env.HOME || "/", ".local/share"), "rt");
}

function runtimeDirectory(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_RUNTIME_DIR || `/run/user/${process.getuid?.()}`, "rt");
}

function absolute(path: string, what: string): string {
  if (path.startsWith("/") && !path.includes("\0")) return path.replace(/\/+$/, "") || "/";
  throw new RtError("invalid-argument", `${what} ${JSON.stringify(path)} is not an absolute path`);
}
