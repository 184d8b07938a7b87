import { type CommandClass, type Context, RtCommand } from "../command.ts";
import { FrontCommand } from "../front.ts";
import { commands, groups, type Row, wordsOf } from "../table.ts";
import { type Grammar, grammarOf, type OptionSpec } from "./grammar.ts";

const width = 96;

/**
 * The help of a command, of a group, or ("") of rt itself: plain text, at most 96 columns.
 *
 * @param program what the executable is called
 */
export async function renderHelp(path: string, program: Context["program"] = "rt"): Promise<string> {
  const row = commands.get(path);
  if (row) return commandHelp(path, row.paths, (await row.load()).default, program);
  return path === "" ? rootHelp(program) : groupHelp(path, program);
}

function commandHelp(
  path: string,
  paths: readonly string[],
  commandClass: CommandClass,
  program: string,
): string {
  const grammar = grammarOf(new commandClass());
  const { description = "", details = "", examples = [] } = commandClass.usage ?? {};
  const globals = globalGrammar();
  const own = grammar.options.filter(({ names, hidden }) => !hidden && !globals.byName.has(names[0]!));
  const others = paths.filter((other) => other !== path);
  const forms = commandClass.forms.map((form) => ` ${form}`);
  const lines = forms.length > 0 ? forms : [`${own.length > 0 ? " [OPTIONS]" : ""}${argumentsText(grammar)}`];
  return sections([
    lines.map((line, at) => `${at === 0 ? "Usage:" : "      "} ${program} ${path}${line}`).join("\n"),
    wrap(description, ""),
    paragraphs(details),
    others.length > 0 ? `Also: ${others.map((other) => `${program} ${other}`).join(", ")}` : "",
    examplesText(examples, program),
    titled("Options", optionLines(own)),
    `Global options: see ${program} --help`,
  ]);
}

async function rootHelp(program: string): Promise<string> {
  const categories = new Map<string, string[][]>();
  for (const word of wordsOf("")) {
    const { usage } = (await commands.get(word)!.load()).default;
    const category = usage?.category ?? "Other";
    categories.set(category, [...(categories.get(category) ?? []), [word, usage?.description ?? ""]]);
  }
  const listed = [...categories].map(([title, rows]) => titled(title, columns(rows)));
  return sections([
    `Usage: ${program} [OPTIONS] COMMAND`,
    "A container engine in one file: it pulls images and runs them, isolated, without a daemon.",
    examplesText(
      [
        ["Run the image inside this executable, then one of a registry", "$0 run --rm embed:hello"],
        ["", "$0 run -it --rm alpine sh"],
        ["See what runs, and open a second shell in it", "$0 ps"],
        ["", "$0 exec -it NAME sh"],
      ],
      program,
    ),
    ...listed,
    titled("Grouped as in Docker", columns([...groups])),
    titled("Global options", optionLines(grammarOf(new FrontCommand()).options)),
    `Run "${program} COMMAND --help" to learn more about a command.`,
  ]);
}

async function groupHelp(group: string, program: string): Promise<string> {
  const listed: string[][] = [];
  for (const word of wordsOf(group)) {
    const path = `${group} ${word}`;
    const row = commands.get(path)!;
    if (path !== listedPath(row, group)) continue;
    listed.push([word, (await row.load()).default.usage?.description ?? ""]);
  }
  return sections([
    `Usage: ${program} ${group} COMMAND`,
    groups.get(group) ?? "",
    titled("Commands", columns(listed)),
    `Run "${program} ${group} COMMAND --help" to learn more about a command.`,
  ]);
}

/** A command with several names in its group has one line there. */
function listedPath({ listed, paths }: Row, group: string): string | undefined {
  return listed ?? paths.find((path) => path.startsWith(`${group} `));
}

class NoCommand extends RtCommand {
  override async execute(): Promise<number> {
    return 0;
  }
}

function globalGrammar(): Grammar {
  return grammarOf(new NoCommand());
}

function argumentsText({ required, optional, rest, stopAtArgument }: Grammar): string {
  const isList = (name: string) => rest === name;
  const needed = required.map((name) =>
    isList(name) ? ` ${name}${stopAtArgument ? " [ARG...]" : " ..."}` : ` ${name}`,
  );
  const maybe = optional.map((name) => ` [${name}]`);
  const open =
    rest === undefined || required.includes(rest)
      ? ""
      : stopAtArgument
        ? ` [${rest}] [ARG...]`
        : ` [${rest}...]`;
  return needed.join("") + maybe.join("") + open;
}

/** "  -e, --env KEY[=VALUE]    Set a variable …", sorted by the long name. */
function optionLines(options: readonly OptionSpec[]): string[] {
  const long = ({ names }: OptionSpec) => (names.find((name) => name.startsWith("--")) ?? names[0]!).slice(2);
  const sorted = options.toSorted((a, b) => (long(a) < long(b) ? -1 : 1));
  return columns(
    sorted.map((option) => {
      const { placeholder, text } = described(option);
      const short = option.names[0]!.startsWith("--") ? "    " : "";
      return [`${short}${option.names.join(", ")}${placeholder}`, text];
    }),
  );
}

/** The word in backquotes is what the value is called. */
function described(option: OptionSpec): { placeholder: string; text: string } {
  const match = /^`([^`]+)` (.*)$/.exec(option.description);
  if (match) return { placeholder: ` ${match[1]}`, text: match[2]! };
  return { placeholder: option.takesValue ? " VALUE" : "", text: option.description };
}

function columns(rows: readonly string[][]): string[] {
  const left = Math.min(34, Math.max(...rows.map(([name]) => name!.length)));
  return rows.flatMap(([name, text]) => {
    const [first = "", ...more] = wrap(text!, "", width - left - 5).split("\n");
    const indent = " ".repeat(left + 5);
    const fits = name!.length <= left;
    const head = fits ? [`  ${name!.padEnd(left)}   ${first}`] : [`  ${name}`, indent + first];
    return [...head, ...more.map((line) => indent + line)].map((line) => line.trimEnd());
  });
}

function titled(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`${title}:`, ...lines].join("\n");
}

function examplesText(examples: readonly (readonly [string, string])[], program: string): string {
  const lines = examples.flatMap(([what, line]) => [
    ...(what === "" ? [] : [`  # ${what}`]),
    `  $ ${line.replaceAll("$0", program)}`,
  ]);
  return titled("Examples", lines);
}

/** Paragraphs are parted by empty lines; the source's own line breaks and indentation do not count. */
function paragraphs(text: string): string {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => wrap(paragraph.replace(/\s+/g, " ").trim(), ""))
    .join("\n\n");
}

function wrap(text: string, indent: string, limit = width): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.length > indent.length && line.length + 1 + word.length > limit) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  return [...lines, line].join("\n");
}

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}
