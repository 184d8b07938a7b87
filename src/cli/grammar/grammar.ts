import { Command } from "clipanion/lib/advanced/Command.mjs";
import type { NoLimits } from "clipanion/lib/core.mjs";
import type { Context, GivenFlag, RtCommand } from "../command.ts";

/** What a command declares with clipanion's options, in the words of our own parser. */
export interface Grammar {
  options: OptionSpec[];
  byName: Map<string, OptionSpec>;
  /** Names of the arguments, for messages and help. */
  required: string[];
  optional: string[];
  /** Name of the list at the end, if there is one. */
  rest: string | undefined;
  /** The first argument ends the flags, so that the rest is the container's: the last declaration is `Option.Proxy`. */
  stopAtArgument: boolean;
  /** The declarations by their field, and what they were declared to: they know how to read a value. */
  declarations: readonly (readonly [string, Declaration])[];
  recorder: Recorder;
}

export interface OptionSpec {
  names: string[];
  takesValue: boolean;
  hidden: boolean;
  description: string;
}

/** The parts of clipanion's parser state that its options read. */
export interface ParsedState {
  options: readonly GivenFlag[];
  positionals: { value: string; extra: boolean | typeof NoLimits }[];
}

interface Declaration {
  definition(builder: Recorder, key: string): void;
  transformer(builder: Recorder, key: string, state: ParsedState, context: Context): unknown;
}

/** Stands where clipanion's CommandBuilder would: options tell it what they are. */
class Recorder {
  readonly options: OptionSpec[] = [];
  readonly arity = { leading: [] as string[], extra: [] as string[] };
  rest: string | undefined;
  proxy = false;

  addOption(spec: { names: string[]; arity?: number; hidden?: boolean; description?: string }): void {
    this.options.push({
      names: spec.names,
      takesValue: spec.arity === 1,
      hidden: spec.hidden ?? false,
      description: spec.description ?? "",
    });
  }
  addPositional(spec: { name: string; required?: boolean }): void {
    (spec.required === false ? this.arity.extra : this.arity.leading).push(spec.name);
  }
  addRest(spec: { name: string; required?: number }): void {
    for (let count = 0; count < (spec.required ?? 0); count++) this.arity.leading.push(spec.name);
    this.rest = spec.name;
  }
  addProxy(spec: { name: string; required?: number }): void {
    this.addRest(spec);
    this.proxy = true;
  }
}

/** What a command declares, learnt from an instance of it that has no values yet. */
export function grammarOf(command: RtCommand): Grammar {
  const recorder = new Recorder();
  const found = declarationsOf(command);
  for (const [key, declaration] of found) declaration.definition(recorder, key);
  const byName = new Map<string, OptionSpec>();
  for (const option of recorder.options) for (const name of option.names) byName.set(name, option);
  return {
    options: recorder.options,
    byName,
    required: recorder.arity.leading,
    optional: recorder.arity.extra,
    rest: recorder.rest,
    stopAtArgument: recorder.proxy,
    declarations: found,
    recorder,
  };
}

function declarationsOf(command: RtCommand): [string, Declaration][] {
  const isDeclaration = (value: unknown): value is Declaration =>
    typeof value === "object" && value !== null && Command.isOption in value;
  return Object.entries(command).filter((entry): entry is [string, Declaration] => isDeclaration(entry[1]));
}
