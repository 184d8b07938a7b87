import { invalid, quote } from "../base/invalid.ts";
import type { SpecHook, SpecHooks } from "../oci/runtime-spec.ts";

/**
 * Which OCI hooks a container has, as podman's oci-hooks(5) has it: a definition says what is executed (`hook`), in which stages,
 * and of which containers (`when`). Version 1.0.0; regular expressions are JavaScript's.
 */
export interface HookDefinition {
  hook: SpecHook;
  /** All of these that are there must be so, but of several commands one. */
  when: {
    always?: boolean;
    /** Of key and of value. */
    annotations: [RegExp, RegExp][];
    commands: RegExp[];
    hasBindMounts?: boolean;
  };
  stages: HookStage[];
}

export type HookStage = keyof SpecHooks;

/** In the order in which they come. */
export const hookStages: readonly HookStage[] = [
  ...(["prestart", "createRuntime", "createContainer", "startContainer"] as const),
  ...(["poststart", "poststop"] as const),
];

/** What a definition looks at of a container. */
export interface HookedContainer {
  annotations: Readonly<Record<string, string>>;
  /** The program. */
  command: string;
  hasBindMounts: boolean;
}

/**
 * @param what for messages: the file
 * @throws RtError invalid-argument: it names the field
 */
export function hookDefinition(value: unknown, what: string): HookDefinition {
  const reader = new Reader(what);
  const top = reader.object(value, "", ["version", "hook", "when", "stages"]);
  if (top.version !== undefined && top.version !== "1.0.0")
    throw reader.wrong("version", `must be "1.0.0", not ${quote(String(top.version))}`);
  const when = reader.object(top.when, "when", ["always", "annotations", "commands", "hasBindMounts"]);
  if (Object.keys(when).length === 0) throw reader.wrong("when", "must have a condition");
  const annotations = reader.object(when.annotations ?? {}, "when.annotations");
  const stages = reader.texts(top.stages, "stages");
  const unknown = stages.find((stage) => !hookStages.includes(stage as HookStage));
  if (unknown !== undefined || stages.length === 0) {
    const found = unknown === undefined ? "" : `, not ${quote(unknown)}`;
    throw reader.wrong("stages", `must be some of ${hookStages.join(", ")}${found}`);
  }
  return {
    hook: hookIn(reader, top.hook),
    when: {
      ...optional("always", reader.flag(when.always, "when.always")),
      annotations: Object.entries(annotations).map(([key, text]) => [
        reader.pattern(key, "when.annotations"),
        reader.pattern(text, `when.annotations.${key}`),
      ]),
      commands: reader
        .texts(when.commands ?? [], "when.commands")
        .map((text) => reader.pattern(text, "when.commands")),
      ...optional("hasBindMounts", reader.flag(when.hasBindMounts, "when.hasBindMounts")),
    },
    stages: stages as HookStage[],
  };
}

function hookIn(reader: Reader, value: unknown): SpecHook {
  const { path, args, env, timeout } = reader.object(value, "hook", ["path", "args", "env", "timeout"]);
  if (typeof path !== "string" || !path.startsWith("/") || path.includes("\0"))
    throw reader.wrong("hook.path", "must be an absolute path");
  if (timeout !== undefined && !(Number.isSafeInteger(timeout) && (timeout as number) > 0))
    throw reader.wrong("hook.timeout", "must be a number of seconds above 0");
  const variables = env === undefined ? undefined : reader.texts(env, "hook.env");
  if (variables?.some((entry) => !/^[^=]+=/.test(entry)))
    throw reader.wrong("hook.env", 'must be texts like "NAME=value"');
  return {
    path,
    ...(args !== undefined && { args: reader.texts(args, "hook.args") }),
    ...(variables && { env: variables }),
    ...(timeout !== undefined && { timeout: timeout as number }),
  };
}

function optional<K extends string>(name: K, value: boolean | undefined): { [Key in K]?: boolean } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in K]?: boolean };
}

/** What the definitions say of a container, in their order; undefined where that is nothing. */
export function hooksFor(
  definitions: readonly HookDefinition[],
  container: HookedContainer,
): SpecHooks | undefined {
  const matching = definitions.filter(({ when }) => matches(when, container));
  if (matching.length === 0) return undefined;
  const stages = hookStages.map((stage) => [
    stage,
    matching.filter(({ stages }) => stages.includes(stage)).map(({ hook }) => hook),
  ]);
  return Object.fromEntries(stages.filter(([, hooks]) => hooks!.length > 0));
}

/** podman's rule: of commands one that matches is enough, and without any there must be another condition. */
function matches(when: HookDefinition["when"], container: HookedContainer): boolean {
  if (when.always === false) return false;
  if (when.hasBindMounts !== undefined && !(when.hasBindMounts && container.hasBindMounts)) return false;
  const pairs = Object.entries(container.annotations);
  for (const [key, value] of when.annotations)
    if (!pairs.some(([theirs, text]) => key.test(theirs) && value.test(text))) return false;
  return when.commands.length === 0 || when.commands.some((command) => command.test(container.command));
}

/** Those of `first` before those of `then`, stage by stage; undefined where neither has any. */
export function mergeHooks(first: SpecHooks | undefined, then: SpecHooks | undefined): SpecHooks | undefined {
  if (!first || !then) return first ?? then;
  const stages = hookStages.map(
    (stage) => [stage, [...(first[stage] ?? []), ...(then[stage] ?? [])]] as const,
  );
  return Object.fromEntries(stages.filter(([, hooks]) => hooks.length > 0));
}

/** The fields of a document that an administrator has written; each complaint names the document and the field. */
class Reader {
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  wrong(field: string, why: string): Error {
    return invalid(`${this.#what}: ${field === "" ? "it" : field} ${why}`);
  }

  /** @param known unsaid: any */
  object(value: unknown, field: string, known?: readonly string[]): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw this.wrong(field, "must be an object");
    const other = known && Object.keys(value).find((name) => !known.includes(name));
    if (other !== undefined) {
      const name = field === "" ? other : `${field}.${other}`;
      throw this.wrong(name, `is not known; there are ${known!.join(", ")}`);
    }
    return value as Record<string, unknown>;
  }

  texts(value: unknown, field: string): string[] {
    const isOne = (item: unknown) => typeof item === "string" && !item.includes("\0");
    if (Array.isArray(value) && value.every(isOne)) return value;
    throw this.wrong(field, "must be an array of texts");
  }

  flag(value: unknown, field: string): boolean | undefined {
    if (value === undefined || typeof value === "boolean") return value;
    throw this.wrong(field, "must be true or false");
  }

  pattern(value: unknown, field: string): RegExp {
    if (typeof value !== "string") throw this.wrong(field, "must be text");
    try {
      return new RegExp(value);
    } catch {
      throw this.wrong(field, `has no regular expression in ${quote(value)}`);
    }
  }
}
