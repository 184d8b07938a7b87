import { posix } from "node:path";
import { RtError } from "../base/errors.ts";
import { bad, checkKeys, readTomlFile, stringArrayIn, type TomlTable, tableIn } from "../base/toml.ts";
import { type EndpointClass, endpointNouns } from "./endpoints.ts";
import { type Pattern, policyPattern, referencePattern } from "./policy-pattern.ts";

/** A policy, read and checked. What it does not open is closed. */
export interface PolicyRules {
  /** For messages: "policy /etc/rt/ci.toml". */
  where: string;
  /** Any of them lets a row of the table through. */
  allow: readonly ((row: { method: string; path: string }, endpoint: EndpointClass) => boolean)[];
  /** Only containers with it are there, and new ones have it. Undefined: all are. */
  label: { key: string; value: string } | undefined;
  /** By any of their names; `tag` is which names may be given, or taken away. */
  images: Record<"create" | "pull" | "push" | "tag", readonly Pattern[]> & { load: boolean };
  mounts: {
    /** Absolute and clean: directories and what is beneath, to be read only; to be written too. */
    read: readonly string[];
    write: readonly string[];
    /** Names of volumes. */
    volumes: readonly Pattern[];
  };
  /** Besides a container's own ("none") and the usual bridge. */
  networks: readonly Pattern[];
  /** "CAP_NET_ADMIN", besides the usual ones. */
  capabilities: readonly string[];
  /** Volumes and networks that it has no pattern for may be looked at all the same. */
  seesAll: boolean;
}

const kinds = ["read", "data", "change", "registry"] as const;
const keys = ["allow", "containers", "label", "images", "mounts", "networks", "capabilities"];

/**
 *   allow = ["read", "container:change", "image:registry", "GET /containers/{name}/logs"]
 *   label = "ci.job=42"            # or: containers = "all"
 *   networks = ["ci-*"]
 *   capabilities = ["CAP_NET_ADMIN"]
 *   [images]
 *   create = ["alpine", "ghcr.io/us/**"]
 *   pull = ["alpine"]
 *   push = []
 *   tag = []
 *   load = false
 *   [mounts]
 *   read = ["/srv/ci/cache"]
 *   write = ["/srv/ci/work"]
 *   volumes = ["ci-*"]
 *
 * @throws RtError invalid-argument, not-found: a file that is not there lets nobody in
 */
export async function readPolicy(file: string): Promise<PolicyRules> {
  const table = await readTomlFile(file);
  if (!table) throw new RtError("not-found", `there is no policy file ${file}`);
  checkKeys(table, keys, "", file);
  const images = tableIn(table.images ?? {}, "images", file);
  checkKeys(images, ["create", "pull", "push", "tag", "load"], "images.", file);
  const mounts = tableIn(table.mounts ?? {}, "mounts", file);
  checkKeys(mounts, ["read", "write", "volumes"], "mounts.", file);
  const allow = texts(table, "allow", file, "").map((text) => allowRule(text, file));
  const label = labelOf(table, file);
  const of = (key: string) => texts(images, key, file, "images.").map((text) => referencePattern(text, file));
  return {
    where: `policy ${file}`,
    allow,
    label,
    images: {
      create: of("create"),
      pull: of("pull"),
      push: of("push"),
      tag: of("tag"),
      load: flagOf(images, file),
    },
    mounts: {
      read: directories(mounts, "read", file),
      write: directories(mounts, "write", file),
      volumes: texts(mounts, "volumes", file, "mounts.").map(policyPattern),
    },
    networks: texts(table, "networks", file, "").map(policyPattern),
    capabilities: texts(table, "capabilities", file, "").map((name) => capability(name, file)),
    seesAll: label === undefined,
  };
}

function texts(table: TomlTable, key: string, file: string, prefix: string): string[] {
  return stringArrayIn(table[key] ?? [], prefix + key, file);
}

function flagOf({ load = false }: TomlTable, file: string): boolean {
  if (typeof load === "boolean") return load;
  throw bad(file, "images.load must be true or false");
}

/** Attributes of a container's events that are not its labels (engine/record-event.ts). */
const attributes = new Set(["image", "name", "exitCode", "execDuration", "execID", "signal"]);

function labelOf({ label, containers }: TomlTable, file: string): PolicyRules["label"] {
  if (containers === "all" && label === undefined) return undefined;
  if (typeof label !== "string" || containers !== undefined)
    throw bad(
      file,
      'want label = "KEY=VALUE", or containers = "all": without either it would be everybody\'s containers',
    );
  const [, key, value] = /^([^=]+)=(.+)$/.exec(label) ?? [];
  if (key === undefined || value === undefined) throw bad(file, 'label must be "KEY=VALUE"');
  if (attributes.has(key)) throw bad(file, `label cannot be ${key}: events have that of every container`);
  return { key, value };
}

function allowRule(text: string, file: string): PolicyRules["allow"][number] {
  const isKind = (word: string) => (kinds as readonly string[]).includes(word);
  if (isKind(text)) return (_, endpoint) => endpoint.kind === text;
  const [noun = "", kind] = text.split(":", 2);
  if (endpointNouns.includes(noun) && (kind === undefined || isKind(kind)))
    return (_, endpoint) => endpoint.noun === noun && (kind === undefined || endpoint.kind === kind);
  const [, method, path] = /^(GET|HEAD|POST|PUT|DELETE) (\/[^?]*)$/.exec(text) ?? [];
  if (method !== undefined && path !== undefined) {
    const wanted = policyPattern(path);
    return (row) => row.method === method && wanted.matches(row.path.replace(/\{\w+\*?\}/g, "{name}"));
  }
  throw bad(
    file,
    `allow has ${JSON.stringify(text)}: want ${kinds.join(", ")}, one of ${endpointNouns.join(", ")}, both as ` +
      '"container:read", or a method and a path as "GET /containers/{name}/logs"',
  );
}

function directories(table: TomlTable, key: string, file: string): string[] {
  return texts(table, key, file, "mounts.").map((path) => {
    const clean = posix.normalize(path).replace(/(.)\/$/, "$1");
    if (!path.startsWith("/") || clean === "/" || path.includes("\0"))
      throw bad(file, `mounts.${key} has ${JSON.stringify(path)}: want an absolute path that is not /`);
    return clean;
  });
}

function capability(name: string, file: string): string {
  const full = name.toUpperCase().replace(/^(?!CAP_)/, "CAP_");
  if (/^CAP_[A-Z_]+$/.test(full) && full !== "CAP_ALL") return full;
  throw bad(file, `capabilities has ${JSON.stringify(name)}: want names as CAP_NET_ADMIN`);
}
