import { RtError } from "../../base/errors.ts";
import { bad, checkKeys, readTomlFile, stringArrayIn, type TomlTable, tableIn } from "../../base/toml.ts";
import { type MachineNetwork, networkIn, networkKeys } from "./network-config.ts";

/**
 * What `rt init` runs, in TOML (README, "As /init"):
 *
 *   hostname = "box"
 *   on-exit = "poweroff"            # or "reboot", "halt": when every container has ended, or the one on the console
 *   modules = ["virtio_net"]        # of /lib/modules, with all that they need; before anything else
 *
 *   [network]                       # network-config.ts; the kernel's ip= goes before it
 *   dhcp = true
 *
 *   [[mount]]                       # in this order, before any container; one that fails ends it all
 *   source = "/dev/vda"
 *   target = "/var/lib/rt"          # made if need be
 *   type = "ext4"                   # left out with options = "bind"
 *   options = "noatime"             # as mount(8) has them
 *
 *   [[container]]
 *   name = "web"
 *   image = "oci-archive:/images/web.tar"
 *   args = ["--network=host", "-v", "/data:/data"]       # flags of `rt run`
 *   command = ["httpd", "-f"]
 *   restart = "always"              # "no" (the default), or "on-failure": each time a new container of the same name
 *   stop-timeout = 10               # seconds between its stop signal and SIGKILL
 *   console = true                  # of one at most: the console is its terminal, and its end is the end
 */
export interface InitConfig {
  hostname: string | undefined;
  onExit: OnExit;
  modules: string[];
  network: MachineNetwork | undefined;
  mounts: InitMount[];
  containers: InitContainer[];
}

export type OnExit = (typeof onExits)[number];
export type Restart = (typeof restarts)[number];

export interface InitMount {
  /** Empty for a file system that needs none. */
  source: string;
  target: string;
  /** Empty for a bind. */
  type: string;
  options: string[];
}

export interface InitContainer {
  name: string;
  image: string;
  /** Flags of `rt run`. */
  args: string[];
  command: string[];
  restart: Restart;
  console: boolean;
  stopTimeout_ms: number;
}

const keys = {
  machine: ["hostname", "on-exit", "modules", "network", "mount", "container"],
  mount: ["source", "target", "type", "options"],
  container: ["name", "image", "args", "command", "restart", "console", "stop-timeout"],
} as const;
/** For whoever writes a key one table too early or too late. */
const placeOfKey = new Map<string, string>([
  ...["hostname", "on-exit", "modules"].map((key) => [key, "above the first table"] as const),
  ...networkKeys.map((key) => [key, "below [network]"] as const),
  ...keys.mount.map((key) => [key, "below a [[mount]]"] as const),
  ...keys.container.map((key) => [key, "below a [[container]]"] as const),
]);

const onExits = ["poweroff", "reboot", "halt"] as const;
const restarts = ["no", "always", "on-failure"] as const;
const defaultFile = "/etc/rt/init.toml";
const stopTimeoutDefault_s = 10;

/** The file of `--config`, which must exist, or the default one, or undefined. @throws RtError */
export async function readInitConfig(file: string | undefined): Promise<InitConfig | undefined> {
  if (file === "") throw new RtError("invalid-argument", "--config, or rt.config=, names no file");
  const toml = await readTomlFile(file ?? defaultFile);
  if (toml) return initConfigIn(toml, file ?? defaultFile);
  if (file === undefined) return undefined;
  throw new RtError("not-found", `config file ${file} does not exist`);
}

/** Without a file: an image that travels in the executable, on the console. */
export function embeddedConfig(name: string, image: string, args: string[], command: string[]): InitConfig {
  const container = { name, image, args, command, restart: "no" as const, console: true };
  return {
    hostname: undefined,
    onExit: "poweroff",
    modules: [],
    network: undefined,
    mounts: [],
    containers: [{ ...container, stopTimeout_ms: stopTimeoutDefault_s * 1000 }],
  };
}

/** `file` is only for messages. @throws invalid-argument, in one line that names the key */
function initConfigIn(toml: TomlTable, file: string): InitConfig {
  checkKeys(toml, keys.machine, "", file, placeOfKey);
  const hostname = optionalString(toml, "hostname", "", file);
  if (hostname !== undefined && !/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$/.test(hostname)) {
    throw bad(file, "hostname must be at most 64 letters, digits, dots and dashes");
  }
  const containers = tablesIn(toml.container, "container", file).map((table, index) =>
    containerIn(table, index, file),
  );
  checkContainers(containers, file);
  return {
    hostname,
    onExit: oneOf(toml["on-exit"] ?? "poweroff", onExits, "on-exit", file),
    modules: modulesIn(toml.modules, file),
    network: toml.network === undefined ? undefined : networkIn(toml.network, file, placeOfKey),
    mounts: tablesIn(toml.mount, "mount", file).map((table, index) => mountIn(table, index, file)),
    containers,
  };
}

function modulesIn(value: unknown, file: string): string[] {
  const modules = stringArrayIn(value ?? [], "modules", file);
  const odd = modules.find((name) => !/^[A-Za-z0-9_-]{1,64}$/.test(name));
  if (odd === undefined) return modules;
  throw bad(file, `modules has ${JSON.stringify(odd)}, which is no name of a module`);
}

function checkContainers(containers: readonly InitContainer[], file: string): void {
  if (containers.length === 0) throw bad(file, "there is no [[container]] in it");
  const names = containers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw bad(file, `two containers are called ${JSON.stringify(twice)}`);
  if (containers.filter((each) => each.console).length > 1) {
    throw bad(file, "there is one console, and more than one container has console = true");
  }
}

function containerIn(table: Record<string, unknown>, index: number, file: string): InitContainer {
  const name = requiredString(table, "name", `container[${index}].`, file);
  const where = `container ${JSON.stringify(name)}: `;
  checkKeys(table, keys.container, `container[${index}].`, file, placeOfKey);
  const { console = false, "stop-timeout": timeout = stopTimeoutDefault_s } = table;
  if (typeof console !== "boolean") throw bad(file, `${where}console must be true or false`);
  if (typeof timeout !== "number" || !(timeout >= 0 && timeout <= 3600)) {
    throw bad(file, `${where}stop-timeout must be a number of seconds, at most 3600`);
  }
  return {
    name,
    image: requiredString(table, "image", where, file),
    args: stringArrayIn(table.args ?? [], `${where}args`, file),
    command: stringArrayIn(table.command ?? [], `${where}command`, file),
    restart: oneOf(table.restart ?? "no", restarts, `${where}restart`, file),
    console,
    stopTimeout_ms: Math.round(timeout * 1000),
  };
}

function mountIn(table: Record<string, unknown>, index: number, file: string): InitMount {
  const where = `mount[${index}].`;
  checkKeys(table, keys.mount, where, file, placeOfKey);
  const target = requiredString(table, "target", where, file);
  if (!target.startsWith("/")) throw bad(file, `${where}target must be an absolute path`);
  const options = (optionalString(table, "options", where, file) ?? "").split(",").filter(Boolean);
  const bind = options.includes("bind") || options.includes("rbind");
  const type = optionalString(table, "type", where, file) ?? "";
  if (!bind && type === "") throw bad(file, `${where}type is missing: a file system such as "ext4"`);
  const source = optionalString(table, "source", where, file) ?? "";
  if (bind && source === "") throw bad(file, `${where}source is missing`);
  return { source, target, type, options };
}

function tablesIn(value: unknown, where: string, file: string): Record<string, unknown>[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw bad(file, `${where} must be written as [[${where}]]`);
  return value.map((each, index) => tableIn(each, `${where}[${index}]`, file));
}

function requiredString(table: Record<string, unknown>, key: string, prefix: string, file: string): string {
  const value = optionalString(table, key, prefix, file);
  if (value) return value;
  throw bad(file, `${prefix}${key} is missing`);
}

function optionalString(
  table: Record<string, unknown>,
  key: string,
  prefix: string,
  file: string,
): string | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  if (typeof value === "string" && !value.includes("\0")) return value;
  throw bad(file, `${prefix}${key} must be a string`);
}

function oneOf<T extends string>(value: unknown, known: readonly T[], where: string, file: string): T {
  const found = known.find((each) => each === value);
  if (found !== undefined) return found;
  throw bad(file, `${where} must be ${known.map((each) => JSON.stringify(each)).join(" or ")}`);
}
