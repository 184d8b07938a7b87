import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { RtError, withCause } from "../../base/errors.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class ExportCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Write a container's files as a tar archive",
    details: `
      Its root, without its volumes. To stdout, or to a file that appears when it is whole.
    `,
    examples: [["Keep the files of a container", "$0 export -o web.tar web"]],
  };

  output = Option.String("-o,--output", { description: "`FILE` Write to this file instead of stdout" });

  container = Option.String({ name: "CONTAINER" });

  override async execute(): Promise<number> {
    if (this.output === undefined && this.context.stdout.isTerminal) {
      const why = "cowardly refusing to save to a terminal: use the -o flag or redirect";
      throw new RtError("invalid-argument", why, { exitCode: 1 });
    }
    const engine = await this.engine({ needsRoot: true });
    const write = (file?: number) => engine.container.export(this.container, file);
    if (this.output === undefined) await write();
    else await intoFile(this.output, write);
    return 0;
  }
}

/** A failure leaves what was there before. */
async function intoFile(path: string, write: (file: number) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.rt-export-${crypto.randomUUID()}`);
  const file = attempt(path, () => openSync(temporary, "wx", 0o600));
  try {
    try {
      await write(file);
    } finally {
      closeSync(file);
    }
    attempt(path, () => renameSync(temporary, path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function attempt<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const { code, message } = withCause(`cannot write ${path}`, error);
    throw new RtError(code, message, { cause: error, exitCode: 1 });
  }
}
