import { statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { isErrno, RtError } from "./errors.ts";
import { callerPath } from "./working-directory.ts";

export interface ConfigOptions {
  /** `--config FILE`: must exist, and is the only file read. */
  file?: string | undefined;
  env?: Readonly<Record<string, string | undefined>>;
  systemFile?: string;
}

/**
 * The settings of all files that count; config.ts draws them.
 * @throws invalid-argument: not TOML, an unknown key, a value of the wrong form; not-found: the file of `--config`
 */
export async function readConfig(options: ConfigOptions = {}): Promise<Config> {
  if (options.file !== undefined) {
    const only = await readOne(options.file);
    if (only) return only;
    throw new RtError("not-found", `config file ${options.file} does not exist`);
  }
  const env = options.env ?? process.env;
  const system = await readOne(options.systemFile ?? "/etc/rt/config.toml");
  const home = env.XDG_CONFIG_HOME || (env.HOME && join(env.HOME, ".config"));
  const user = home ? await readOne(join(home, "rt", "config.toml")) : undefined;
  return {
    ...system,
    ...user,
    registries: new Map([...(system?.registries ?? []), ...(user?.registries ?? [])]),
  };
}

/** The file's settings, or undefined if there is none, as there mostly is: what reads it is not even loaded then. */
async function readOne(file: string): Promise<Config | undefined> {
  if (isAbsent(file)) return undefined;
  const { readConfigFile } = await import("./config.ts");
  return readConfigFile(file);
}

function isAbsent(file: string): boolean {
  try {
    return statSync(callerPath(file, "its name"), { throwIfNoEntry: false }) === undefined;
  } catch (error) {
    return isErrno(error, "ENOTDIR"); // whoever reads the file tells of the rest
  }
}
