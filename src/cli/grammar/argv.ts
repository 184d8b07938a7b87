import { RtError } from "../../base/errors.ts";
import type { GivenFlag, LaterFlags } from "../command.ts";
import type { Grammar, OptionSpec } from "./grammar.ts";

/** An argv taken apart, in the order in which it was written. */
export interface ParsedArgv {
  options: GivenFlag[];
  arguments: string[];
  /** --help was met: nothing after it was looked at. */
  help: boolean;
}

/**
 * Docker's command line grammar (that is pflag's), in one pass.
 *
 *   --name=value  --name value  --bool  --bool=false  -it  -itv a:b  -eFOO=1  -e=FOO=1  --  -
 *
 * A value is taken as it comes, even when it starts with a dash. Flags and arguments may mix, except for a command that
 * runs another one (run, exec). Of a scalar that is repeated the last value counts.
 *
 * @param path the command's, for messages
 * @param later flags that are known and not there yet
 * @throws RtError invalid-argument or unsupported, of one line
 */
export function parseArgv(
  grammar: Grammar,
  argv: readonly string[],
  path: string,
  later: LaterFlags,
): ParsedArgv {
  const result: ParsedArgv = { options: [], arguments: [], help: false };
  const cursor = new Cursor(argv);
  const usage = new UsageErrors(grammar, path, later);
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

function takeRest(result: ParsedArgv, cursor: Cursor): ParsedArgv {
  result.arguments.push(...cursor.rest());
  return result;
}

function parseLong(token: string, cursor: Cursor, usage: UsageErrors, result: ParsedArgv): void {
  const equals = token.indexOf("=");
  const name = equals < 0 ? token : token.slice(0, equals);
  if (name.length < 3 || name[2] === "-") throw usage.error(`bad flag syntax: ${asTyped(token)}`);
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
function parseShort(token: string, cursor: Cursor, usage: UsageErrors, result: ParsedArgv): void {
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
  result: ParsedArgv,
  option: OptionSpec,
  name: string,
  text: string | undefined,
  usage: UsageErrors,
): void {
  if (text === undefined) throw usage.error(`flag needs an argument: ${option.names.at(-1)}`);
  result.options.push({ name, value: option.takesValue ? text : parseBoolean(text, option, usage) });
}

/** Go's strconv.ParseBool. */
function parseBoolean(text: string, option: OptionSpec, usage: UsageErrors): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw usage.error(`invalid value ${asTyped(text)} for ${option.names.at(-1)}: want true or false`);
}

/** The errors of one command's usage. */
class UsageErrors {
  readonly grammar: Grammar;
  readonly #path: string;
  readonly #later: LaterFlags;

  constructor(grammar: Grammar, path: string, later: LaterFlags) {
    this.grammar = grammar;
    this.#path = path;
    this.#later = later;
  }

  option(name: string, token = name): OptionSpec {
    const option = this.grammar.byName.get(name);
    if (option) return option;
    const bare = name.replace(/^-+/, "");
    const reason = Object.hasOwn(this.#later, bare) ? this.#later[bare] : undefined;
    if (reason !== undefined) {
      throw new RtError(
        "unsupported",
        `${this.#path} ${name} is not there yet: ${reason}${seeHelp(this.#path)}`,
      );
    }
    const within = token.length > 2 && !token.startsWith("--") ? ` in ${asTyped(token)}` : "";
    // `-name x` is a long flag with a dash forgotten more often than four short ones.
    const wanted = within && this.grammar.byName.has(`-${token}`) ? `-${token}` : this.#nearest(name);
    const twoWords = name.includes(" ") ? ": a flag and its value are two words, or joined by =" : "";
    const hint = wanted ? `: did you mean ${wanted}?` : twoWords;
    const where = this.#path ? ` for "${this.#path}"` : "";
    throw this.error(`unknown flag ${asTyped(name)}${within}${where}${hint}`);
  }

  error(message: string): RtError {
    return new RtError("invalid-argument", message + seeHelp(this.#path));
  }

  #nearest(name: string): string | undefined {
    if (!name.startsWith("--")) return undefined;
    const { nearest } = require("../../base/nearest.ts") as typeof import("../../base/nearest.ts");
    const visible = this.grammar.options.filter((option) => !option.hidden);
    return nearest(
      name,
      visible.flatMap((option) => option.names.filter((candidate) => candidate.startsWith("--"))),
    );
  }
}

/** The end of a message about what was typed: "  (see rt run --help)". */
export function seeHelp(path: string): string {
  return `  (see rt${path ? ` ${path}` : ""} --help)`;
}

/** Somebody's word in a message: short, and quoted where it has more than visible ASCII. */
export function asTyped(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return /^[\x21-\x7e]+$/.test(short) ? short : JSON.stringify(short);
}
