import { NoLimits } from "clipanion/lib/core.mjs";
import { RtError } from "../../base/errors.ts";
import type { CommandClass, Context, GivenFlag, RtCommand } from "../command.ts";
import { asTyped, parseArgv, seeHelp } from "./argv.ts";
import { type Grammar, grammarOf, type ParsedState } from "./grammar.ts";

/** Where a command line stands, beside its words. */
export interface Calling {
  /** The command's path as it was called by: "container ls". */
  path: string;
  context: Context;
  /** What stood in front of the path. */
  front?: readonly GivenFlag[];
}

/**
 * A command with the values of its flags and arguments, ready to be executed.
 *
 * @param argv what follows the command's path
 * @returns undefined when --help is among them: whatever follows it was not looked at
 * @throws RtError invalid-argument, unsupported
 */
export function readCommand<T extends RtCommand>(
  commandClass: CommandClass<T>,
  argv: readonly string[],
  { path, context, front = [] }: Calling,
): T | undefined {
  const command = new commandClass();
  const grammar = grammarOf(command);
  const parsed = parseArgv(grammar, argv, path, commandClass.later);
  if (parsed.help) return undefined;
  const positionals = assignArguments(grammar, parsed.arguments, path);
  setFields(command, grammar, { options: [...front, ...parsed.options], positionals }, context);
  command.context = context;
  command.path = path.split(" ");
  command.given = parsed.options;
  return command;
}

/** Replaces each declaration on `command`, from which `grammar` was learnt, by its value. */
function setFields(command: RtCommand, grammar: Grammar, state: ParsedState, context: Context): void {
  const fields = command as unknown as Record<string, unknown>;
  for (const [key, declaration] of grammar.declarations) {
    fields[key] = declaration.transformer(grammar.recorder, key, state, context);
  }
}

/**
 * Which argument is which: the first ones are the required ones, then the optional, then the list.
 * @throws RtError invalid-argument when there are too few or too many
 */
function assignArguments(
  grammar: Grammar,
  words: readonly string[],
  path: string,
): ParsedState["positionals"] {
  const { required, optional, rest } = grammar;
  if (words.length < required.length) {
    throw new RtError("invalid-argument", `"${path}" needs ${required[words.length]}${seeHelp(path)}`);
  }
  const most = required.length + optional.length;
  if (rest === undefined && words.length > most) {
    const takes = most === 0 ? "no arguments" : most === 1 ? "one argument" : `${most} arguments`;
    throw new RtError(
      "invalid-argument",
      `"${path}" takes ${takes}, got ${asTyped(words[most]!)} as well${seeHelp(path)}`,
    );
  }
  return words.map((value, index) => {
    if (index < required.length) return { value, extra: false };
    return { value, extra: index < most ? true : NoLimits };
  });
}
