import { parseDetachKeys } from "../../base/detach-keys.ts";
import { RtError, withExitCode } from "../../base/errors.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";
import { programFlags } from "./program-flags.ts";

export default class StartCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Start containers that do not run",
    details: `
      Each goes on with the files that it had at its end. With -a or -i this terminal is the program's, and the exit status
      is its own.
    `,
    examples: [
      ["Run what was created, or has ended, in the background", "$0 start web db"],
      ["See what it writes", "$0 start -a job"],
    ],
  };
  static override later = {
    checkpoint: "checkpoints are not there",
    "checkpoint-dir": "checkpoints are not there",
  };

  attach = Option.Boolean("-a,--attach", false, {
    description: "Connect stdout and stderr, hand on signals",
  });
  detachKeys = programFlags.detachKeys();
  interactive = Option.Boolean("-i,--interactive", false, { description: "Connect stdin too" });
  sigProxy = programFlags.sigProxy();

  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const detachKeys = parseDetachKeys(this.detachKeys);
    const { sigProxy, interactive: stdin, containers } = this;
    const attach = this.attach || stdin;
    if (attach && containers.length > 1) {
      const message = "you cannot start and attach multiple containers at once";
      throw new RtError("invalid-argument", message, { exitCode: 1 });
    }
    const engine = await this.engine({ needsRoot: true, detachKeys });
    const start = (name: string) => engine.container.start(name, { attach, stdin, sigProxy });
    if (attach) return await start(containers[0]!).catch(asFailure);
    return await forEachName(containers, this.context, async (name) => {
      await start(name);
      return `${name}\n`;
    });
  }
}

/** Docker's rule: a failure of ours has one status here, whatever kept the program from running. */
function asFailure(error: unknown): never {
  throw withExitCode(error, 1);
}
