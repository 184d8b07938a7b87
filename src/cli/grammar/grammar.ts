import { Command } from "clipanion/lib/advanced/Command.mjs";
import { NoLimits } from "clipanion/lib/core.mjs";
import { RtError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { Context, RtCommand } from "../command.ts";

/**
 * Docker's command line grammar (that is pflag's) over clipanion's declarations.
 *
 *   --name=value  --name value  --bool  --bool=false  -it  -itv a:b  -eFOO=1  -e=FOO=1  --  -
 *
 * A value is taken as it comes, even when it starts with a dash. Flags and arguments may mix, except for a command whose
 * last declaration is `Option.Proxy` (run, exec): there the first argument ends the flags, so that the rest is the
 * container's. A repeated scalar takes the last value.
 */
export interface Grammar {
  options: OptionSpec[];
  byName: Map<string, OptionSpec>;
  /** Names of the arguments, for messages and help. */
  required: string[];
  optional: string[];
  /** Name of the list at the end, if there is one. */
  rest: string | undefined;
  stopAtArgument: boolean;
  /** For `hydrate`: the declarations by their field, and what they were declared to. */
  declarations: readonly (readonly [string, Declaration])[];
  recorder: Recorder;
}

export interface OptionSpec {
  names: string[];
  takesValue: boolean;
  hidden: boolean;
  description: string;
}

/** clipanion's parser state, the parts that its options read. */
export interface ParsedState {
  options: { name: string; value: string | boolean }[];
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

/** What a command declares, learnt from an instance of it whose options are not hydrated yet. */
export function grammarOf(command: RtCommand): Grammar {
  const recorder = new Recorder();
  const found = declarations(command);
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

/** Replaces each declaration on `command`, which `grammar` was learnt from, by its value. */
export function hydrate(command: RtCommand, grammar: Grammar, state: ParsedState, context: Context): void {
  const fields = command as unknown as Record<string, unknown>;
  for (const [key, declaration] of grammar.declarations) {
    fields[key] = declaration.transformer(grammar.recorder, key, state, context);
  }
}

function declarations(command: RtCommand): [string, Declaration][] {
  const isDeclaration = (value: unknown): value is Declaration =>
    typeof value === "object" && value !== null && Command.isOption in value;
  return Object.entries(command).filter((entry): entry is [string, Declaration] => isDeclaration(entry[1]));
}

export interface ParseResult {
  options: ParsedState["options"];
  arguments: string[];
  /** --help was met: nothing after it was looked at. */
  help: boolean;
}

/** Flags that Docker has and this command does not yet: name without dashes -> what they need. */
export type LaterFlags = Readonly<Record<string, string>>;

/**
 * One pass over argv. `verb` is the command's path, for messages.
 * @throws RtError invalid-argument, one line
 */
export function parse(
  grammar: Grammar,
  argv: readonly string[],
  verb: string,
  later: LaterFlags = {},
): ParseResult {
  const result: ParseResult = { options: [], arguments: [], help: false };
  const cursor = new Cursor(argv);
  const usage = new Usage(grammar, verb, later);
  for (let token = cursor.next(); token !== undefined && !result.help; token = cursor.next()) {
    if (token === "--") return takeRest(result, cursor);
    if (token.startsWith("--")) parseLong(token, cursor, usage, result);
    else if (token.length > 1 && token.startsWith("-")) parseShort(token, cursor, usage, result);
    else {
      result.arguments.push(token);
      if (grammar.stopAtArgument) return takeRest(result, cursor);
    }
  }
  return result;
}

class Cursor {
  readonly #argv: readonly string[];
  #index = 0;

  constructor(argv: readonly string[]) {
    this.#argv = argv;
  }
  next(): string | undefined {
    return this.#argv[this.#index++];
  }
  rest(): readonly string[] {
    return this.#argv.slice(this.#index);
  }
}

function takeRest(result: ParseResult, cursor: Cursor): ParseResult {
  result.arguments.push(...cursor.rest());
  return result;
}

function parseLong(token: string, cursor: Cursor, usage: Usage, result: ParseResult): void {
  const equals = token.indexOf("=");
  const name = equals < 0 ? token : token.slice(0, equals);
  if (name.length < 3 || name[2] === "-") throw usage.error(`bad flag syntax: ${shown(token)}`);
  if (name === "--help") {
    result.help = true;
    return;
  }
  const option = usage.option(name);
  if (equals >= 0) push(result, option, name, token.slice(equals + 1), usage);
  else if (!option.takesValue) result.options.push({ name, value: true });
  else push(result, option, name, cursor.next(), usage);
}

/** `-it`, `-itv a:b`, `-eFOO=1`, `-e=FOO=1`, `-i=false`. */
function parseShort(token: string, cursor: Cursor, usage: Usage, result: ParseResult): void {
  const letters = token.slice(1);
  for (let index = 0; index < letters.length; index++) {
    const name = `-${letters[index]}`;
    if (name === "-h" && !usage.grammar.byName.has(name)) {
      result.help = true;
      return;
    }
    const option = usage.option(name, token);
    const tail = letters.slice(index + 1);
    const value = tail.length > 1 && tail[0] === "=" ? tail.slice(1) : undefined;
    if (value !== undefined || option.takesValue) {
      push(result, option, name, value ?? (tail || cursor.next()), usage);
      return;
    }
    result.options.push({ name, value: true });
  }
}

function push(
  result: ParseResult,
  option: OptionSpec,
  name: string,
  text: string | undefined,
  usage: Usage,
): void {
  if (text === undefined) throw usage.error(`flag needs an argument: ${option.names.at(-1)}`);
  result.options.push({ name, value: option.takesValue ? text : parseBoolean(text, option, usage) });
}

/** Go's strconv.ParseBool. */
function parseBoolean(text: string, option: OptionSpec, usage: Usage): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw usage.error(`invalid value ${shown(text)} for ${option.names.at(-1)}: want true or false`);
}

/** The errors of one command's usage. */
class Usage {
  readonly grammar: Grammar;
  readonly #verb: string;
  readonly #later: LaterFlags;

  constructor(grammar: Grammar, verb: string, later: LaterFlags) {
    this.grammar = grammar;
    this.#verb = verb;
    this.#later = later;
  }

  option(name: string, token = name): OptionSpec {
    const option = this.grammar.byName.get(name);
    if (option) return option;
    const bare = name.replace(/^-+/, "");
    const reason = Object.hasOwn(this.#later, bare) ? this.#later[bare] : undefined;
    if (reason !== undefined) {
      throw new RtError("unsupported", `${this.#verb} ${name} is not there yet: ${reason}${see(this.#verb)}`);
    }
    const within = token.length > 2 && !token.startsWith("--") ? ` in ${shown(token)}` : "";
    // `-name x` is a long flag with a dash forgotten more often than four short ones.
    const wanted = within && this.grammar.byName.has(`-${token}`) ? `-${token}` : this.#nearest(name);
    const hint = wanted ? `: did you mean ${wanted}?` : "";
    const where = this.#verb ? ` for "${this.#verb}"` : "";
    throw this.error(`unknown flag ${shown(name)}${within}${where}${hint}`);
  }

  error(message: string): RtError {
    return new RtError("invalid-argument", message + see(this.#verb));
  }

  #nearest(name: string): string | undefined {
    if (!name.startsWith("--")) return undefined;
    const visible = this.grammar.options.filter((option) => !option.hidden);
    return nearest(
      name,
      visible.flatMap((option) => option.names.filter((candidate) => candidate.startsWith("--"))),
    );
  }
}

/** "  (see rt run --help)". */
export function see(verb: string): string {
  return `  (see rt${verb ? ` ${verb}` : ""} --help)`;
}

/** Somebody's word in a message: short, and without control characters. */
export function shown(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return /^[\x21-\x7e]+$/.test(short) ? short : JSON.stringify(short);
}

/**
 * Which argument is which: the first ones are the required ones, then the optional, then the list.
 * @throws RtError invalid-argument when there are too few or too many
 */
export function assign(grammar: Grammar, words: readonly string[], verb: string): ParsedState["positionals"] {
  const { required, optional, rest } = grammar;
  if (words.length < required.length) {
    throw new RtError("invalid-argument", `"${verb}" needs ${required[words.length]}${see(verb)}`);
  }
  const most = required.length + optional.length;
  if (rest === undefined && words.length > most) {
    const takes = most === 0 ? "no arguments" : most === 1 ? "one argument" : `${most} arguments`;
    throw new RtError(
      "invalid-argument",
      `"${verb}" takes ${takes}, got ${shown(words[most]!)} as well${see(verb)}`,
    );
  }
  return words.map((value, index) => {
    if (index < required.length) return { value, extra: false };
    return { value, extra: index < most ? true : NoLimits };
  });
}
