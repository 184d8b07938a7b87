import { RtError, while_ } from "../base/errors.ts";
import type { Plan } from "../engine/init.ts";
import type { InitContainer } from "../engine/init-config.ts";
import type { Context } from "./command.ts";
import { assign, grammarOf, hydrate, parse } from "./grammar.ts";
import RunCommand from "./run.ts";
import { runOptions } from "./run-options.ts";

/**
 * What a container of `rt init`'s configuration means to `rt run`.
 *
 * @param terminal is the console one?
 * @throws RtError that names the container: every one is checked before the first is started
 */
export function planOf(container: InitContainer, terminal: boolean, context: Context): Plan {
  const { name, image, args, command, console } = container;
  // Other containers write there too: no progress is drawn.
  const stdio = console ? ["--quiet", terminal ? "-it" : "-i"] : [];
  const argv = ["--rm", "--name", name, ...stdio, ...args, image, ...command];
  try {
    const options = runOptions(parseRun(argv, context), context.caller);
    if (options.image !== image || options.command.length !== command.length) {
      throw invalid("args holds more than flags: what is run belongs into image and command");
    }
    if (options.name !== name) throw invalid("args holds --name: there is the key name");
    if (!options.autoRemove) throw invalid("args holds --rm=false: each start is a new container");
    if (!console && (options.tty || options.interactive)) {
      throw invalid("args holds -i or -t: console = true gives it the console");
    }
    return { container, options, argv };
  } catch (error) {
    throw while_(`container ${JSON.stringify(name)}`, error);
  }
}

function parseRun(argv: readonly string[], context: Context): RunCommand {
  const command = new RunCommand();
  const grammar = grammarOf(command);
  const parsed = parse(grammar, argv, "run", RunCommand.later);
  if (parsed.help) throw invalid("args holds --help");
  hydrate(
    command,
    grammar,
    { options: parsed.options, positionals: assign(grammar, parsed.arguments, "run") },
    context,
  );
  return command;
}

function invalid(message: string): RtError {
  return new RtError("invalid-argument", message);
}
