import { commit, version } from "../base/build-info.ts";
import { callerEnvironment } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import { type CommandClass, type Context, type GivenFlag, Option, RtCommand } from "./command.ts";
import { openEngine } from "./engine.ts";
import { asTyped, parseArgv } from "./grammar/argv.ts";
import { grammarOf } from "./grammar/grammar.ts";
import { readCommand } from "./grammar/read.ts";
import { DescriptorOutput } from "./output/output.ts";
import { reportError } from "./output/report.ts";
import { commands, groups, laterCommands, wordsOf } from "./table.ts";

/** The environment and the standard streams of this process. */
export function processContext(): Context {
  return {
    env: process.env,
    caller: callerEnvironment,
    stdout: new DescriptorOutput(1),
    stderr: new DescriptorOutput(2),
    openEngine,
  };
}

/**
 * One command line, from its words to its end. It never throws.
 *
 * @param argv without the program
 * @returns the process's exit status
 */
export async function runCli(argv: readonly string[], context: Context): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    return reportError(error, context);
  }
}

async function dispatch(argv: readonly string[], context: Context): Promise<number> {
  const front = frontOf(argv);
  if (front.answer === "version") {
    context.stdout.write(`rt version ${version}, build ${commit}\n`);
    return 0;
  }
  if (front.words[0] === "help") return help(front.words.slice(1), context);
  if (front.words[0] === "__complete") return complete(front, context);
  const { path, tail } = findPath(front.words);
  const row = commands.get(path);
  if (row === undefined || front.answer === "help") return help(path ? path.split(" ") : [], context);
  const { default: commandClass } = await row.load();
  return execute(commandClass, path, front.options, tail, context);
}

/** For the scripts of `rt completion`: it looks at every command, so that none can be it. */
async function complete({ words, options }: Front, context: Context): Promise<number> {
  const { default: CompleteCommand } = await import("./completion/complete.ts");
  return execute(CompleteCommand, "__complete", options, words.slice(1), context);
}

async function execute(
  commandClass: CommandClass,
  path: string,
  front: readonly GivenFlag[],
  argv: readonly string[],
  context: Context,
): Promise<number> {
  const command = readCommand(commandClass, argv, { path, context, front });
  if (command === undefined) return help(path.split(" "), context);
  if (isDebugging(command)) context.env.RT_DEBUG ||= "1";
  return (await command.execute()) ?? 0;
}

function isDebugging({ debug, logLevel }: RtCommand): boolean {
  const levels = ["debug", "info", "warn", "error", "fatal"];
  if (logLevel === undefined || levels.includes(logLevel)) return debug || logLevel === "debug";
  throw new RtError(
    "invalid-argument",
    `invalid --log-level ${asTyped(logLevel)}: want one of ${levels.join(", ")}`,
  );
}

/** The flags that may stand before the command. */
class FrontCommand extends RtCommand {
  version = Option.Boolean("-v,--version", false, { description: "Print the version and quit" });
  words = Option.Proxy();
  override async execute(): Promise<number> {
    return 0;
  }
}

interface Front {
  options: readonly GivenFlag[];
  /** The command and what follows it. */
  words: string[];
  answer: "help" | "version" | undefined;
}

function frontOf(argv: readonly string[]): Front {
  if (argv[0] === undefined) return { options: [], words: [], answer: "help" };
  // The usual case costs nothing: the command comes first.
  if (!argv[0].startsWith("-")) return { options: [], words: [...argv], answer: undefined };
  const parsed = parseArgv(grammarOf(new FrontCommand()), argv, "", FrontCommand.later);
  const version = parsed.options.findLast(({ name }) => name === "-v" || name === "--version");
  if (version?.value === true) return { options: [], words: [], answer: "version" };
  const answer = parsed.help || parsed.arguments.length === 0 ? "help" : undefined;
  return { options: parsed.options, words: parsed.arguments, answer };
}

/** The longest path of the table at the start of `words`: a command's, or a group's when no command of it is named. */
function findPath(words: readonly string[]): { path: string; tail: readonly string[] } {
  const [first, second] = words;
  if (first === undefined) return { path: "", tail: [] };
  if (commands.has(first)) return { path: first, tail: words.slice(1) };
  if (!groups.has(first)) throw unknownCommand(first, "");
  if (second === undefined || second === "--help" || second === "-h") return { path: first, tail: [] };
  const path = `${first} ${second}`;
  if (commands.has(path)) return { path, tail: words.slice(2) };
  throw unknownCommand(second, first);
}

function unknownCommand(word: string, group: string): RtError {
  const prefix = group ? `${group} ` : "";
  const reason = Object.hasOwn(laterCommands, word) ? laterCommands[word] : undefined;
  const full = asTyped(prefix + word).replace(/^"|"$/g, "");
  const hint = `  (see rt ${prefix}--help)`;
  if (reason !== undefined) return new RtError("unsupported", `"${full}" is not there yet: ${reason}${hint}`);
  const candidates = group ? wordsOf(group) : [...wordsOf(""), ...groups.keys(), "help"];
  const { nearest } = require("../base/nearest.ts") as typeof import("../base/nearest.ts");
  const wanted = nearest(word, candidates);
  const question = wanted ? `: did you mean "${prefix}${wanted}"?` : "";
  return new RtError("invalid-argument", `unknown command "${full}"${question}${hint}`);
}

async function help(words: readonly string[], context: Context): Promise<number> {
  const { path } = findPath(words);
  const { renderHelp } = await import("./grammar/help.ts");
  context.stdout.write(await renderHelp(path));
  return 0;
}
