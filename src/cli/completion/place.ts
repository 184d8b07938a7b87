import { type CommandClass, RtCommand } from "../command.ts";
import { type Grammar, grammarOf, type OptionSpec } from "../grammar/grammar.ts";
import { commands, groups } from "../table.ts";

/** What the word at the cursor is. */
export type Place =
  | { kind: "command"; group: string }
  | { kind: "flag"; grammar: Grammar; path: string }
  /** `start` is the word's part in front of the value: "--pull=", or "". */
  | { kind: "value"; option: OptionSpec; name: string; path: string; start: string; text: string }
  /** @field before arguments that stand in front of it */
  | { kind: "argument"; name: string | undefined; before: string[]; path: string };

export interface Line {
  place: Place;
  /** Flags with a value that were given, by their long names: those that say where the store is count. */
  given: ReadonlyMap<string, string>;
}

class NoCommand extends RtCommand {
  override async execute(): Promise<number> {
    return 0;
  }
}

/** @param words what follows the program's name; the last is the one at the cursor */
export async function placeOf(words: readonly string[]): Promise<Line> {
  const given = new Map<string, string>();
  const front = walk(grammarOf(new NoCommand()), words, "", given, true);
  if (front.place) return { place: front.place, given };
  const rest = words.slice(front.taken);
  const path = pathOf(rest);
  if (path === undefined)
    return { place: { kind: "command", group: rest.length > 1 ? rest[0]! : "" }, given };
  const { default: commandClass } = (await commands.get(path)!.load()) as { default: CommandClass };
  const grammar = grammarOf(new commandClass());
  const tail = rest.slice(path.split(" ").length);
  return { place: walk(grammar, tail, path, given, false).place!, given };
}

/** Of the command that is named in front of the cursor. */
function pathOf([first = "", second = "", ...more]: readonly string[]): string | undefined {
  if (second === "" && more.length === 0 && !commands.has(first)) return undefined;
  if (commands.has(first)) return first;
  const path = `${first} ${second}`;
  return groups.has(first) && more.length > 0 && commands.has(path) ? path : undefined;
}

/** Through the words in front of the cursor. `isFront`: the first argument is the command. */
function walk(
  grammar: Grammar,
  words: readonly string[],
  path: string,
  given: Map<string, string>,
  isFront: boolean,
): { place: Place | undefined; taken: number } {
  const last = words.length - 1;
  const before: string[] = [];
  let isOver = false;
  for (let index = 0; index < last; index++) {
    const word = words[index]!;
    if (isOver || !word.startsWith("-") || word === "-") {
      if (isFront) return { place: undefined, taken: index };
      before.push(word);
      isOver ||= grammar.stopAtArgument;
      continue;
    }
    if (word === "--") {
      isOver = true;
      continue;
    }
    const flag = flagOf(grammar, word);
    if (!flag?.option.takesValue) continue;
    const value = flag.value ?? words[index + 1]!;
    const isHere = flag.value === undefined && index + 1 === last;
    if (isHere) {
      const place = {
        kind: "value",
        option: flag.option,
        name: flag.name,
        path,
        start: "",
        text: value,
      } as const;
      return { place, taken: index };
    }
    given.set(flag.option.names.at(-1)!, value);
    if (flag.value === undefined) index++;
  }
  const word = words[last] ?? "";
  if (!isOver && word.startsWith("-")) return { place: flagPlace(grammar, word, path), taken: last };
  if (isFront) return { place: undefined, taken: last };
  return { place: { kind: "argument", name: nameOf(grammar, before.length), before, path }, taken: last };
}

function flagPlace(grammar: Grammar, word: string, path: string): Place {
  const equals = word.indexOf("=");
  const flag = equals < 0 ? undefined : flagOf(grammar, word);
  if (!flag?.option.takesValue) return { kind: "flag", grammar, path };
  const { option, name } = flag;
  return {
    kind: "value",
    option,
    name,
    path,
    start: word.slice(0, equals + 1),
    text: word.slice(equals + 1),
  };
}

/** "--name", "--name=value", "-n", "-nvalue", and "-itn": the one that may take a value is the last. */
function flagOf(
  grammar: Grammar,
  word: string,
): { option: OptionSpec; name: string; value: string | undefined } | undefined {
  const equals = word.indexOf("=");
  if (word.startsWith("--")) {
    const name = equals < 0 ? word : word.slice(0, equals);
    const option = grammar.byName.get(name);
    return option && { option, name, value: equals < 0 ? undefined : word.slice(equals + 1) };
  }
  for (let at = 1; at < word.length; at++) {
    const name = `-${word[at]}`;
    const option = grammar.byName.get(name);
    if (!option) return undefined;
    const tail = word.slice(at + 1).replace(/^=/, "");
    if (option.takesValue) return { option, name, value: tail === "" ? undefined : tail };
  }
  return undefined;
}

function nameOf({ required, optional, rest, stopAtArgument }: Grammar, index: number): string | undefined {
  const names = [...required, ...optional];
  if (index < names.length) return names[index];
  // What a program of the container's takes, nobody here knows.
  return stopAtArgument ? undefined : rest;
}
