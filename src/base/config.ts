import { idMax } from "./id-map.ts";
import type { IdSpan } from "./id-span.ts";
import { bad, checkKeys, readTomlFile, stringArrayIn, type TomlTable, tableIn } from "./toml.ts";

/**
 * The one configuration file, in TOML. `--config FILE` alone, or else the user's over the system's:
 * $XDG_CONFIG_HOME/rt/config.toml (~/.config/rt/config.toml) over /etc/rt/config.toml.
 *
 *   storage-driver = "overlay"                  # or "copy"
 *   cgroup-manager = "cgroupfs"                 # or "systemd": containers are units of its own
 *   max-layer-size = "64g"                      # a layer that unpacks to more is refused; bytes, or with k, m, g, t
 *   seccomp-profile = "/etc/rt/seccomp.json"    # for a new container that names none: a file, or "builtin" or "unconfined"
 *   selinux-enabled = true                      # a new container has a label of its own, where the host has SELinux
 *   store-limit = "20g"                         # beyond that an image that comes sends those away that were used longest ago
 *   registry-timeout = 30                       # seconds that a registry may be silent before a try counts as failed
 *   hooks-dirs = ["/etc/rt/hooks.d"]            # where OCI hooks are defined, the later the stronger; unsaid, podman's places
 *   userns = "auto"                             # the user namespace of a container that names none: also keep-id, nomap, host
 *   userns-ids = "2000683008:146669568"         # the host's numbers for auto, of users and groups: the first, and how many
 *   cdi-spec-dirs = ["/etc/cdi", "/var/run/cdi"]   # where devices are described (CDI), the later the stronger
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
 *   [[hooks]]                                   # an OCI hook, as in a file of these directories
 *   when = { always = true }
 *   stages = ["poststop"]
 *   hook = { path = "/usr/local/bin/tell", args = ["tell", "stop"], timeout = 5 }
 *
 * In a merge the user's `[registries."x"]` replaces the system's table of the same name as a whole.
 */
export interface Config {
  storageDriver?: string;
  cgroupManager?: CgroupManager;
  /** Bytes of an uncompressed layer. */
  maxLayerSize?: number;
  /** Bytes of all images, their blobs and their unpacked layers. */
  storeLimit?: number;
  registryTimeout_ms?: number;
  cdiSpecDirs?: readonly string[];
  /** A path, "builtin" or "unconfined". */
  seccompProfile?: string;
  hookDirectories?: readonly string[];
  /** Read where there is a use for them; `where` is for messages. */
  hooks?: readonly { table: TomlTable; where: string }[];
  selinuxEnabled?: boolean;
  /** As `--userns` has it. */
  userns?: string;
  usernsIds?: IdSpan;
  registries: ReadonlyMap<string, RegistryConfig>;
}

/** Who makes the cgroups of containers. */
export type CgroupManager = "cgroupfs" | "systemd";

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
  const keys = [
    ...["storage-driver", "cgroup-manager", "max-layer-size", "registry-timeout", "seccomp-profile"],
    ...[
      "store-limit",
      "selinux-enabled",
      "userns",
      "userns-ids",
      "cdi-spec-dirs",
      "hooks-dirs",
      "hooks",
      "registries",
    ],
  ];
  checkKeys(toml, keys, "", file);
  const storageDriver = toml["storage-driver"];
  if (storageDriver !== undefined && typeof storageDriver !== "string") {
    throw bad(file, "storage-driver must be a string");
  }
  const seccompProfile = optional(toml["seccomp-profile"], (value) => {
    if (typeof value === "string" && /^(\/[^\0]+|builtin|unconfined)$/s.test(value)) return value;
    throw bad(file, `seccomp-profile must be builtin, unconfined or the absolute path of a profile`);
  });
  const selinuxEnabled = optional(toml["selinux-enabled"], (value) => {
    if (typeof value === "boolean") return value;
    throw bad(file, "selinux-enabled must be true or false");
  });
  const registries = new Map<string, RegistryConfig>();
  for (const [domain, value] of Object.entries(tableIn(toml.registries ?? {}, "registries", file))) {
    registries.set(domain, registryIn(value, domain, file));
  }
  const maxLayerSize = optional(toml["max-layer-size"], (value) => sizeIn(value, "max-layer-size", file));
  const storeLimit = optional(toml["store-limit"], (value) => sizeIn(value, "store-limit", file));
  const registryTimeout_ms = optional(toml["registry-timeout"], (value) => {
    if (typeof value === "number" && value > 0 && value <= 3600) return Math.ceil(value * 1000);
    throw bad(file, "registry-timeout must be a number of seconds, at most 3600");
  });
  const hookDirectories = optional(toml["hooks-dirs"], (value) => directoriesIn(value, "hooks-dirs", file));
  const hooks = optional(toml.hooks, (value) => tablesIn(value, "hooks", file));
  const cgroupManager = optional(toml["cgroup-manager"], (value) => {
    if (value === "cgroupfs" || value === "systemd") return value;
    throw bad(file, 'cgroup-manager must be "cgroupfs" or "systemd"');
  });
  const userns = optional(toml.userns, (value) => {
    if (typeof value === "string" && /^(host|nomap|(auto|keep-id)(:[^\n]*)?)$/.test(value)) return value;
    throw bad(file, 'userns must be "host", "auto", "keep-id" or "nomap", with options as --userns has them');
  });
  const usernsIds = optional(toml["userns-ids"], (value) => spanIn(value, "userns-ids", file));
  const cdiSpecDirs = optional(toml["cdi-spec-dirs"], (value) => directoriesIn(value, "cdi-spec-dirs", file));
  return {
    ...(storageDriver !== undefined && { storageDriver }),
    ...(cgroupManager !== undefined && { cgroupManager }),
    ...(maxLayerSize !== undefined && { maxLayerSize }),
    ...(storeLimit !== undefined && { storeLimit }),
    ...(registryTimeout_ms !== undefined && { registryTimeout_ms }),
    ...(cdiSpecDirs !== undefined && { cdiSpecDirs }),
    ...(seccompProfile !== undefined && { seccompProfile }),
    ...(hookDirectories !== undefined && { hookDirectories }),
    ...(hooks !== undefined && { hooks }),
    ...(selinuxEnabled !== undefined && { selinuxEnabled }),
    ...(userns !== undefined && { userns }),
    ...(usernsIds !== undefined && { usernsIds }),
    registries,
  };
}

function directoriesIn(value: unknown, where: string, file: string): readonly string[] {
  const directories = stringArrayIn(value, where, file);
  const relative = directories.find((directory) => !directory.startsWith("/") || directory.includes("\0"));
  if (relative === undefined) return directories;
  throw bad(file, `${where}: ${JSON.stringify(relative)} must be an absolute path`);
}

function tablesIn(value: unknown, where: string, file: string): { table: TomlTable; where: string }[] {
  if (!Array.isArray(value)) throw bad(file, `${where} must be tables, [[${where}]]`);
  return value.map((item, index) => {
    const place = `${where}[${index}]`;
    return { table: tableIn(item, place, file), where: `config file ${file}: ${place}` };
  });
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

/** A container's root is never the host's, whoever says which numbers there are. */
function spanIn(value: unknown, where: string, file: string): IdSpan {
  const [, first, size] = /^(\d{1,10}):(\d{1,10})$/.exec(String(value)) ?? [];
  const span = { first: Number(first), size: Number(size) };
  if (span.first > 0 && span.size > 0 && span.first + span.size - 1 <= idMax) return span;
  throw bad(file, `${where} must be "FIRST:COUNT", with numbers from 1 to ${idMax}`);
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
