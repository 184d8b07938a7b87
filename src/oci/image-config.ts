import { RtError } from "../base/errors.ts";
import type { Platform } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import {
  arrayIn,
  type Fields,
  fieldsIn,
  integerIn,
  objectIn,
  optionalIn,
  parseJson,
  shown,
  stringIn,
  stringMapIn,
  stringsIn,
  textIn,
} from "./json.ts";

/** OCI image-spec config.md, with Docker's Healthcheck and Shell. Field names are the document's own. */
export interface ImageConfig extends Platform {
  created?: string;
  author?: string;
  /** Of docker's older tools: with which it was made, and what was said of it. */
  docker_version?: string;
  comment?: string;
  config: ContainerDefaults;
  rootfs: { type: "layers"; diff_ids: Digest[] };
  history: HistoryEntry[];
}

/** What the image asks of a container. A wish of a stranger: nothing here is checked for sense beyond its type. */
export interface ContainerDefaults {
  User?: string;
  /** Keys such as "80/tcp". */
  ExposedPorts?: Record<string, Record<string, never>>;
  /** "KEY=value"; an entry without "=" must not be filled in from the caller's environment (CVE-2026-57231). */
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, Record<string, never>>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  Healthcheck?: Healthcheck;
  Shell?: string[];
  /** Instructions for a build that begins with this image. */
  OnBuild?: string[];
  /** Of Windows: the command is one line already. */
  ArgsEscaped?: boolean;
}

/** Durations in nanoseconds, as Docker writes them; 0 or absent means the default. */
export interface Healthcheck {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** @throws data-loss (malformed) | exhausted (beyond 4 MiB, too deep) */
export function parseImageConfig(bytes: Uint8Array, what = "image config"): ImageConfig {
  const field = fieldsIn(parseJson(bytes, what), what);
  const text = (key: string) => optionalIn(field(key), `${what}: ${key}`, stringIn);
  const history = optionalIn(field("history"), `${what}: history`, arrayIn) ?? [];
  return {
    os: text("os") || "linux",
    architecture: text("architecture") ?? "",
    ...defined({
      variant: text("variant") || undefined,
      "os.version": text("os.version"),
      created: text("created"),
      author: text("author"),
      docker_version: text("docker_version") || undefined,
      comment: text("comment") || undefined,
    }),
    config: optionalIn(field("config"), `${what}: config`, defaultsIn) ?? {},
    rootfs: rootfsIn(field("rootfs"), `${what}: rootfs`),
    history: history.map((entry, i) => historyIn(entry ?? {}, `${what}: history[${i}]`)),
  };
}

/** Layers and diffIDs belong together one by one. @throws data-loss if their numbers differ */
export function checkLayerCount(config: ImageConfig, layers: readonly unknown[], what: string): void {
  const promised = config.rootfs.diff_ids.length;
  if (promised === layers.length) return;
  throw new RtError(
    "data-loss",
    `${what} has ${layers.length} layers but its config names ${promised} diffIDs: refused`,
  );
}

function rootfsIn(value: unknown, what: string): ImageConfig["rootfs"] {
  const field = fieldsIn(value, what);
  const type = field("type") || "layers";
  if (type !== "layers") throw new RtError("data-loss", `${what}.type is ${shown(type)}: want "layers"`);
  const ids = optionalIn(field("diff_ids"), `${what}.diff_ids`, arrayIn) ?? [];
  return {
    type: "layers",
    diff_ids: ids.map((id, i) => {
      if (isDigest(id)) return id;
      throw new RtError(
        "data-loss",
        `${what}.diff_ids[${i}] is ${shown(id)}: want sha256: and 64 hex digits`,
      );
    }),
  };
}

function defaultsIn(value: unknown, what: string): ContainerDefaults {
  const field = fieldsIn(value, what);
  const read = <T>(key: string, as: (value: unknown, what: string) => T) =>
    optionalIn(field(key), `${what}.${key}`, as);
  return defined({
    User: read("User", stringIn),
    ExposedPorts: read("ExposedPorts", setIn),
    Env: read("Env", stringsIn),
    Entrypoint: read("Entrypoint", commandIn),
    Cmd: read("Cmd", commandIn),
    Volumes: read("Volumes", setIn),
    WorkingDir: read("WorkingDir", stringIn),
    Labels: read("Labels", stringMapIn),
    StopSignal: read("StopSignal", stringIn),
    Healthcheck: read("Healthcheck", healthcheckIn),
    Shell: read("Shell", commandIn),
    OnBuild: read("OnBuild", stringsIn),
    ArgsEscaped: field("ArgsEscaped") === true ? true : undefined,
  });
}

/** Docker reads a lone string as a command of one word. */
export function commandIn(value: unknown, what: string): string[] {
  return typeof value === "string" ? [stringIn(value, what)] : stringsIn(value, what);
}

/** Go's map[string]struct{}: only the keys count. */
function setIn(value: unknown, what: string): Record<string, Record<string, never>> {
  return Object.fromEntries(Object.keys(objectIn(value, what)).map((key) => [stringIn(key, what), {}]));
}

function healthcheckIn(value: unknown, what: string): Healthcheck {
  const field = fieldsIn(value, what);
  const number = (key: string) => optionalIn(field(key), `${what}.${key}`, int64In);
  return defined({
    Test: optionalIn(field("Test"), `${what}.Test`, stringsIn),
    Interval: number("Interval"),
    Timeout: number("Timeout"),
    StartPeriod: number("StartPeriod"),
    StartInterval: number("StartInterval"),
    Retries: number("Retries"),
  });
}

/** Go's int64, which may be larger than what JavaScript holds exactly: 292 years of nanoseconds are as good as 104 days. */
function int64In(value: unknown, what: string): number {
  const limit = Number.MAX_SAFE_INTEGER;
  const isLarge = Number.isInteger(value) && Math.abs(value as number) <= 2 ** 63;
  return isLarge ? Math.min(Math.max(value as number, -limit), limit) : integerIn(value, what, -limit);
}

/** What a tool did to make a layer. It is not kept, so a NUL in it harms nobody. */
function historyIn(value: unknown, what: string): HistoryEntry {
  const field: Fields = fieldsIn(value, what);
  const text = (key: string) => optionalIn(field(key), `${what}.${key}`, textIn);
  return defined({
    created: text("created"),
    created_by: text("created_by"),
    author: text("author"),
    comment: text("comment"),
    empty_layer: field("empty_layer") === true ? true : undefined,
  });
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the keys whose value is undefined: absent is absent, also when printed. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
