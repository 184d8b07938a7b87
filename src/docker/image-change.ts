import { posix } from "node:path";
import { RtError } from "../base/errors.ts";
import { rejectNul } from "../base/invalid.ts";
import type { ContainerDefaults, Healthcheck } from "../oci/image-config.ts";
import { expandWord, splitWords } from "./dockerfile-words.ts";
import { parseDuration } from "./timestamp.ts";

/** What somebody says of a new image in the words of a Dockerfile; the rest is as the container has it. */
export type ImageChanges = Partial<ContainerDefaults>;

/** What the instructions start from. */
export interface ChangeContext {
  /** "KEY=VALUE": what "$KEY" stands for. */
  env: readonly string[];
  /** What a relative WORKDIR begins at. */
  workingDirectory: string;
  /** In front of a command that is no JSON. */
  shell: readonly string[];
}

/**
 * `commit --change`: instructions of a Dockerfile, those that need no build, in docker's forms and with its errors. Of one that
 * comes again the last counts; ENV, EXPOSE, LABEL, ONBUILD and VOLUME add to one another.
 * @throws RtError invalid-argument
 */
export function parseImageChanges(texts: readonly string[], context: ChangeContext): ImageChanges {
  const state: State = { changes: {}, context, env: [...context.env] };
  for (const line of logicalLines(texts)) {
    const [, word = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
    const apply = instructions[word.toUpperCase()];
    if (!apply) throw wrong(`${word} is not a valid change command`);
    rejectNul("change", rest);
    apply(state, rest.trim(), word.toUpperCase());
  }
  return state.changes;
}

interface State {
  changes: ImageChanges;
  context: ChangeContext;
  /** With what ENV has said so far. */
  env: string[];
}

type Instruction = (state: State, rest: string, name: string) => void;

const instructions: Readonly<Record<string, Instruction>> = Object.assign(Object.create(null), {
  CMD: ({ changes, context }, rest) => {
    changes.Cmd = commandOf(rest, context.shell);
  },
  ENTRYPOINT: ({ changes, context }, rest) => {
    changes.Entrypoint = commandOf(rest, context.shell);
  },
  ENV: (state, rest, name) => {
    for (const [key, value] of pairsOf(state, rest, name)) {
      const has = (entry: string) => entry.startsWith(`${key}=`);
      state.changes.Env = [...(state.changes.Env ?? []).filter((entry) => !has(entry)), `${key}=${value}`];
      state.env = [...state.env.filter((entry) => !has(entry)), `${key}=${value}`];
    }
  },
  LABEL: (state, rest, name) => {
    const pairs = pairsOf(state, rest, name);
    state.changes.Labels = { ...state.changes.Labels, ...Object.fromEntries(pairs) };
  },
  EXPOSE: (state, rest, name) => {
    const ports = someWords(state, rest, name).flatMap(portsOf);
    state.changes.ExposedPorts = { ...state.changes.ExposedPorts, ...keysOf(ports) };
  },
  VOLUME: (state, rest, name) => {
    const words = jsonWords(rest)?.map((word) => expandWord(word, state.env)) ?? someWords(state, rest, name);
    if (words.length === 0) throw wrong("VOLUME requires at least one argument");
    if (words.some((word) => word.trim() === "")) throw wrong("VOLUME specified can not be an empty string");
    state.changes.Volumes = { ...state.changes.Volumes, ...keysOf(words) };
  },
  ONBUILD: ({ changes }, rest) => {
    const trigger = /^\S*/.exec(rest)![0].toUpperCase();
    if (trigger === "") throw wrong("ONBUILD requires at least one argument");
    if (trigger === "ONBUILD") throw wrong("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === "MAINTAINER" || trigger === "FROM")
      throw wrong(`${trigger} isn't allowed as an ONBUILD trigger`);
    changes.OnBuild = [...(changes.OnBuild ?? []), rest];
  },
  USER: (state, rest, name) => {
    state.changes.User = oneWord(state, rest, name);
  },
  WORKDIR: (state, rest, name) => {
    const before = state.changes.WorkingDir ?? state.context.workingDirectory;
    const path = posix.resolve("/", before, oneWord(state, rest, name));
    state.changes.WorkingDir = path;
  },
  STOPSIGNAL: (state, rest, name) => {
    state.changes.StopSignal = oneWord(state, rest, name);
  },
  HEALTHCHECK: ({ changes, context }, rest) => {
    changes.Healthcheck = healthcheckOf(rest, context.shell);
  },
} satisfies Record<string, Instruction>);

/** Comments and empty lines say nothing, and a backslash at its end joins a line with the next. */
function logicalLines(texts: readonly string[]): string[] {
  const lines: string[] = [];
  let open = "";
  for (const text of texts.join("\n").split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(text)) continue;
    const joined = open + text.trimStart();
    open = "";
    if (/\\\s*$/.test(joined)) open = joined.replace(/\\\s*$/, "");
    else lines.push(joined);
  }
  return open === "" ? lines : [...lines, open];
}

/** `["a", "b"]`, or undefined where it is none; then it is words for a shell. */
function jsonWords(rest: string): string[] | undefined {
  if (!rest.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(rest);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (value.every((word) => typeof word === "string")) return value;
  throw wrong("When using JSON array syntax, arrays must be comprised of strings only.");
}

function commandOf(rest: string, shell: readonly string[]): string[] {
  return jsonWords(rest) ?? (rest === "" ? [] : [...shell, rest]);
}

/** `KEY=VALUE KEY="VALUE" …`, or the old form, `KEY VALUE`. */
function pairsOf({ env }: State, rest: string, name: string): [string, string][] {
  const words = splitWords(rest);
  if (words.length === 0) throw wrong(`${name} requires at least one argument`);
  if (!words[0]!.includes("=")) {
    if (words.length < 2) throw wrong(`${name} must have two arguments`);
    const value = rest.slice(rest.indexOf(words[0]!) + words[0]!.length).trim();
    return [[named(expandWord(words[0]!, env), name), expandWord(value, env)]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0)
      throw wrong(
        `Syntax error - can't find = in ${JSON.stringify(word.slice(0, 100))}. Must be of the form: name=value`,
      );
    return [named(expandWord(word.slice(0, equals), env), name), expandWord(word.slice(equals + 1), env)];
  });
}

function named(key: string, name: string): string {
  if (key !== "" && !/[\n=]/.test(key)) return key;
  throw wrong(`${name} names can not be blank`);
}

function someWords({ env }: State, rest: string, name: string): string[] {
  const words = splitWords(rest).map((word) => expandWord(word, env));
  if (words.length === 0) throw wrong(`${name} requires at least one argument`);
  return words;
}

function oneWord(state: State, rest: string, name: string): string {
  const word = rest === "" ? "" : expandWord(rest, state.env);
  const many = name === "USER" && splitWords(rest).length > 1;
  if (word === "" || many) throw wrong(`${name} requires exactly one argument`);
  return word;
}

/** "80", "80/udp", "8000-8010/tcp", and what docker's -p takes, of which only the container's port counts. */
function portsOf(text: string): string[] {
  const [ports = "", protocol = "tcp", ...more] = text.split("/");
  const range = /^(\d+)(?:-(\d+))?$/.exec(ports.split(":").at(-1)!);
  const first = Number(range?.[1]);
  const last = Number(range?.[2] ?? range?.[1]);
  if (!range || more.length > 0 || last > 65535 || first > last)
    throw wrong(`invalid containerPort: ${text.slice(0, 100)}`);
  if (!/^(tcp|udp|sctp)$/i.test(protocol)) throw wrong(`invalid proto: ${protocol.slice(0, 100)}`);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol.toLowerCase()}`);
}

const healthFlags: Readonly<Record<string, keyof Healthcheck>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

function healthcheckOf(rest: string, shell: readonly string[]): Healthcheck {
  const check: Healthcheck = {};
  let left = rest;
  for (let flag = /^--(\S+?)=(\S*)\s*/.exec(left); flag; flag = /^--(\S+?)=(\S*)\s*/.exec(left)) {
    left = left.slice(flag[0].length);
    setHealthFlag(check, flag[1]!, flag[2]!);
  }
  const [, type = "", command = ""] = /^(\S*)\s*([\s\S]*)$/.exec(left) ?? [];
  if (type === "") throw wrong("HEALTHCHECK requires at least one argument");
  if (type.toUpperCase() === "NONE") {
    if (command !== "") throw wrong("HEALTHCHECK NONE takes no arguments");
    return { ...check, Test: ["NONE"] };
  }
  if (type.toUpperCase() !== "CMD")
    throw wrong(`Unknown type ${JSON.stringify(type.slice(0, 100))} in HEALTHCHECK (try CMD)`);
  const words = jsonWords(command);
  if (command === "" || words?.length === 0) throw wrong("Missing command after HEALTHCHECK CMD");
  if (words) return { ...check, Test: ["CMD", ...words] };
  const isUsual = shell.join(" ") === "/bin/sh -c";
  return { ...check, Test: isUsual ? ["CMD-SHELL", command] : ["CMD", ...shell, command] };
}

function setHealthFlag(check: Healthcheck, name: string, value: string): void {
  if (name === "retries") {
    if (!/^\d{1,9}$/.test(value)) throw wrong(`--retries must be a number, not ${JSON.stringify(value)}`);
    check.Retries = Number(value);
    return;
  }
  const key = Object.hasOwn(healthFlags, name) ? healthFlags[name]! : undefined;
  if (key === undefined || key === "Test") throw wrong(`unknown flag: --${name.slice(0, 100)}`);
  const duration = parseDuration(value);
  if (duration === undefined || duration < 0n || (duration > 0n && duration < 1_000_000n))
    throw wrong(`invalid --${name} ${JSON.stringify(value.slice(0, 100))}: want a duration such as 30s`);
  check[key] = Number(duration) as never;
}

function keysOf(words: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(words.map((word) => [word, {}]));
}

function wrong(message: string): RtError {
  return new RtError("invalid-argument", message, { exitCode: 1 });
}

/**
 * The new image's wishes: what is said of it, and where nothing is, what the container had (docker's merge). Another
 * entrypoint takes the container's command away, unless there is one of its own.
 */
export function mergeChanges(changes: ImageChanges, container: ContainerDefaults): ContainerDefaults {
  const names = new Set((changes.Env ?? []).map((entry) => entry.slice(0, entry.indexOf("="))));
  const kept = (container.Env ?? []).filter((entry) => !names.has(entry.split("=", 1)[0]!));
  const merged: ContainerDefaults = { ...container, ...changes };
  if (changes.Entrypoint !== undefined && changes.Cmd === undefined) delete merged.Cmd;
  const env = [...kept, ...(changes.Env ?? [])];
  if (env.length > 0) merged.Env = env;
  for (const key of ["Labels", "ExposedPorts", "Volumes"] as const) {
    const both = { ...container[key], ...changes[key] };
    if (Object.keys(both).length > 0) Object.assign(merged, { [key]: both });
  }
  if (changes.Healthcheck) merged.Healthcheck = { ...container.Healthcheck, ...changes.Healthcheck };
  return merged;
}
