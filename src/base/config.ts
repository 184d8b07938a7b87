import { bad, checkKeys, readTomlFile, stringArrayIn, type TomlTable, tableIn } from "./toml.ts";

/**
 * The one configuration file, in TOML. `--config FILE` alone, or else the user's over the system's:
 * $XDG_CONFIG_HOME/rt/config.toml (~/.config/rt/config.toml) over /etc/rt/config.toml.
 *
 *   storage-driver = "overlay"                  # or "copy"
 *   max-layer-size = "64g"                      # a layer that unpacks to more is refused; bytes, or with k, m, g, t
 *   registry-timeout = 30                       # seconds that a registry may be silent before a try counts as failed
 *
 *   [registries."docker.io"]                    # by the domain of a reference
 *   mirrors = ["https://mirror.example", "http://127.0.0.1:5000"]   # asked in this order, then the registry itself
 *
 *   [registries."registry.lan:5000"]
 *   insecure = true                             # plain http, or TLS that does not verify, is accepted of this host, also of
 *                                               # a token server on it
 *   token-servers = ["login.example"]           # hosts that may be given this registry's password, where the public suffix
 *                                               # list does not say that they have one owner
 *
 * In a merge the user's `[registries."x"]` replaces the system's table of the same name as a whole.
 */
export interface Config {
  storageDriver?: string;
  /** Bytes of an uncompressed layer. */
  maxLayerSize?: number;
  registryTimeout_ms?: number;
  registries: ReadonlyMap<string, RegistryConfig>;
}

export interface RegistryConfig {
  mirrors: readonly string[];
  insecure: boolean;
  tokenServers: readonly string[];
}

/**
 * @returns the file's settings, or undefined if there is none
 * @throws RtError invalid-argument: not TOML, an unknown key, a value of the wrong form
 */
export async function readConfigFile(file: string): Promise<Config | undefined> {
  const toml = await readTomlFile(file);
  return toml && configIn(toml, file);
}

/** `file` is only for messages. */
function configIn(toml: TomlTable, file: string): Config {
  checkKeys(toml, ["storage-driver", "max-layer-size", "registry-timeout", "registries"], "", file);
  const storageDriver = toml["storage-driver"];
  if (storageDriver !== undefined && typeof storageDriver !== "string") {
    throw bad(file, "storage-driver must be a string");
  }
  const registries = new Map<string, RegistryConfig>();
  for (const [domain, value] of Object.entries(tableIn(toml.registries ?? {}, "registries", file))) {
    registries.set(domain, registryIn(value, domain, file));
  }
  const maxLayerSize = optional(toml["max-layer-size"], (value) => sizeIn(value, "max-layer-size", file));
  const registryTimeout_ms = optional(toml["registry-timeout"], (value) => {
    if (typeof value === "number" && value > 0 && value <= 3600) return Math.ceil(value * 1000);
    throw bad(file, "registry-timeout must be a number of seconds, at most 3600");
  });
  return {
    ...(storageDriver !== undefined && { storageDriver }),
    ...(maxLayerSize !== undefined && { maxLayerSize }),
    ...(registryTimeout_ms !== undefined && { registryTimeout_ms }),
    registries,
  };
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

function sizeIn(value: unknown, where: string, file: string): number {
  const found = /^([0-9]{1,15})([kmgt])?$/.exec(
    typeof value === "number" ? String(value) : String(value).toLowerCase(),
  );
  const bytes = found ? Number(found[1]) * 1024 ** ("kmgt".indexOf(found[2] ?? "?") + 1) : 0;
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw bad(file, `${where} must be a number of bytes, or one with k, m, g or t such as "64g"`);
}

function registryIn(value: unknown, domain: string, file: string): RegistryConfig {
  const where = `registries.${JSON.stringify(domain)}`;
  if (!/^[a-zA-Z0-9.[\]:-]+$/.test(domain)) {
    throw bad(file, `${where}: the name must be a registry's host[:port], without scheme and path`);
  }
  const table = tableIn(value, where, file);
  checkKeys(table, ["mirrors", "insecure", "token-servers"], `${where}.`, file);
  const { mirrors = [], insecure = false, "token-servers": tokenServers = [] } = table;
  if (typeof insecure !== "boolean") throw bad(file, `${where}.insecure must be true or false`);
  for (const mirror of stringArrayIn(mirrors, `${where}.mirrors`, file)) {
    const url = URL.canParse(mirror) ? new URL(mirror) : undefined;
    const plain =
      url && /^https?:$/.test(url.protocol) && url.username === "" && url.href === `${url.origin}/`;
    if (!plain) {
      throw bad(file, `${where}.mirrors: ${JSON.stringify(mirror)} must look like https://host[:port]`);
    }
  }
  return {
    mirrors: mirrors as string[],
    insecure,
    tokenServers: stringArrayIn(tokenServers, `${where}.token-servers`, file),
  };
}
