import { RtError, withCause } from "../../base/errors.ts";
import type { InitContainer } from "../../engine/machine/config.ts";
import { noDetachKeys, type Plan } from "../../engine/machine/session.ts";
import type { Context } from "../command.ts";
import RunCommand from "../container/run.ts";
import { runOptions } from "../container/run-options.ts";
import { readCommand } from "../grammar/read.ts";

/**
 * What a container of `rt init`'s configuration means to `rt run`.
 *
 * @param terminal is the console one?
 * @throws RtError that names the container: every one is checked before the first is started
 */
export function planOf(container: InitContainer, terminal: boolean, context: Context): Plan {
  const { name, image, args, console } = container;
  // Other containers write there too: no progress is drawn.
  const stdio = console ? ["--quiet", noDetachKeys, terminal ? "-it" : "-i"] : [];
  const argv = ["--rm", "--name", name, ...stdio, ...args, image, ...container.command];
  try {
    const command = readCommand(RunCommand, argv, { path: "run", context });
    if (command === undefined) throw invalid("args holds --help");
    if (command.restart) throw invalid("args holds --restart: there is the key restart beside args");
    const options = runOptions(command, context.caller, undefined);
    const { settings } = options;
    if (options.image !== image || settings.command.length !== container.command.length) {
      throw invalid("args holds more than flags: what is run belongs into image and command");
    }
    if (options.name !== name) throw invalid("args holds --name: there is the key name");
    if (command.detach) throw invalid("args holds -d: all but the console's run in the background here");
    if (!settings.autoRemove) throw invalid("args holds --rm=false: each start is a new container");
    const other = foreign.find((flag) =>
      command.given.some((given) => given.name === flag && given.value !== ""),
    );
    if (other !== undefined) throw invalid(`args holds ${other}, which is not for a container of init`);
    if (!console && (settings.tty || settings.openStdin)) {
      throw invalid("args holds -i or -t: console = true gives it the console");
    }
    const saysNetwork = settings.networks !== undefined || command.networks.length > 0;
    return { container, options, argv, saysNetwork };
  } catch (error) {
    throw withCause(`container ${JSON.stringify(name)}`, error);
  }
}

/** Of rt itself, which is the same for all of them, or of one who runs a command and goes away. */
const foreign = [
  ...["--root", "--state", "--config", "--storage-driver", "--log-level", "--debug", "-D"],
  ...["--cidfile", "--detach-keys"],
];

function invalid(message: string): RtError {
  return new RtError("invalid-argument", message);
}
