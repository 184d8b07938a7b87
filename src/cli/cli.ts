import { commit, version } from "../base/build-info.ts";
import { callerEnvironment } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import { programName } from "../base/program-name.ts";
import type { CommandClass, Context, GivenFlag, RtCommand } from "./command.ts";
import { openEngine } from "./engine.ts";
import { type Front, frontOf } from "./front.ts";
import { asTyped } from "./grammar/argv.ts";
import { readCommand } from "./grammar/read.ts";
import { DescriptorOutput } from "./output/output.ts";
import { reportError } from "./output/report.ts";
import { commands, groups, laterCommands, wordsOf } from "./table.ts";

/** The environment and the standard streams of this process. */
export function processContext(): Context {
  return {
    program: programName,
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
  // What is learnt on the way is for telling of a failure, too.
  const calling = { ...context };
  try {
    return await dispatch(argv, calling);
  } catch (error) {
    return reportError(error, calling);
  }
}

async function dispatch(argv: readonly string[], context: Context): Promise<number> {
  const front = frontOf(argv, context);
  if (front.answer === "version") {
    context.stdout.write(`${versionLine(context)}\n`);
    return 0;
  }
  if (front.words[0] === "help") return help(front.words.slice(1), context);
  if (front.words[0] === "__complete") return complete(front, context);
  const plugin = await pluginOf(front, context);
  if (plugin) return plugin(argv);
  const { path, tail } = findPath(front.words, context);
  context.command = path;
  const row = commands.get(path);
  if (row === undefined || front.answer === "help") return help(path ? path.split(" ") : [], context);
  const { default: commandClass } = await row.load();
  const { place } = front;
  return execute(commandClass, path, front.options, tail, place ? { ...context, place } : context);
}

/** Of an executable that is called "docker": a word that is no command may be a program of Docker's, as "compose" is. */
async function pluginOf({ words: [word] }: Front, context: Context) {
  if (context.program !== "docker" || word === undefined || commands.has(word) || groups.has(word))
    return undefined;
  const { findPlugin, runPlugin } = await import("./plugin.ts");
  const program = findPlugin(word, context.env);
  return program && ((argv: readonly string[]) => runPlugin(program, argv, context));
}

/** Of an executable that is called "docker" scripts read Docker's words, and compare the number. */
function versionLine({ program }: Context): string {
  if (program === "docker") return `Docker version ${dockerVersion}, build rt-${version}`;
  return `rt version ${version}, build ${commit}`;
}

/** Whose command line and API these are. */
const dockerVersion = "28.5.2";

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

/** The longest path of the table at the start of `words`: a command's, or a group's when no command of it is named. */
function findPath(words: readonly string[], context: Context): { path: string; tail: readonly string[] } {
  const [first, second] = words;
  if (first === undefined) return { path: "", tail: [] };
  if (commands.has(first)) return { path: first, tail: words.slice(1) };
  if (!groups.has(first)) throw unknownCommand(first, "", context);
  if (second === undefined || second === "--help" || second === "-h") return { path: first, tail: [] };
  const path = `${first} ${second}`;
  if (commands.has(path)) return { path, tail: words.slice(2) };
  throw unknownCommand(second, first, context);
}

function unknownCommand(word: string, group: string, { program }: Context): RtError {
  const prefix = group ? `${group} ` : "";
  const reason = Object.hasOwn(laterCommands, word) ? laterCommands[word] : undefined;
  // Scripts ask so whether a plug-in is there.
  if (program === "docker") {
    const why = reason === undefined ? "" : `: ${reason}`;
    const text = `unknown command: docker ${prefix}${word}${why} (see docker --help)`;
    return new RtError("invalid-argument", text, { exitCode: 1 });
  }
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
  const { path } = findPath(words, context);
  const { renderHelp } = await import("./grammar/help.ts");
  context.stdout.write(await renderHelp(path, context.program));
  return 0;
}
