import { parseDetachKeys } from "../../base/detach-keys.ts";
import { rejectNul } from "../../base/invalid.ts";
import type { ExecOptions } from "../../engine/container/exec-options.ts";
import { parseUser, parseWorkingDirectory } from "../../settings/identity.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { requestedEnvironment } from "../parse/env.ts";
import { checkTerminal, programFlags } from "./program-flags.ts";

export default class ExecCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Run another program in a running container",
    details: `
      CONTAINER is a name or the start of an id. The program joins the container's namespaces and has its environment,
      user and capabilities, unless flags say otherwise.

      The exit status is the program's own; 126 when it cannot be executed, 127 when it is not found.
    `,
    examples: [
      ["A second shell in a container", "$0 exec -it web sh"],
      ["One program, as another user", "$0 exec -u postgres db psql -c 'select 1'"],
    ],
  };

  detach = Option.Boolean("-d,--detach", false, {
    description: "Leave the program running in the background",
  });
  detachKeys = programFlags.detachKeys();
  env = programFlags.env();
  envFiles = programFlags.envFiles();
  interactive = programFlags.interactive();
  privileged = Option.Boolean("--privileged", false, { description: "All capabilities" });
  tty = programFlags.tty();
  user = programFlags.user();
  workdir = programFlags.workdir();

  container = Option.String({ name: "CONTAINER" });
  command = Option.Proxy({ name: "COMMAND", required: 1 });

  override async execute(): Promise<number> {
    const detachKeys = parseDetachKeys(this.detachKeys);
    const options: ExecOptions = {
      container: this.container,
      command: this.command.map((word) => rejectNul("argument", word)),
      openStdin: this.interactive,
      tty: this.tty,
      detach: this.detach,
      env: requestedEnvironment(this.envFiles, this.env, this.context.caller),
      workingDirectory: parseWorkingDirectory(this.workdir ?? "", "--workdir"),
      user: parseUser(this.user ?? "", "--user"),
      privileged: this.privileged,
    };
    const engine = await this.engine({ needsRoot: true, detachKeys });
    if (!options.detach) checkTerminal(options);
    return await engine.container.exec(options);
  }
}
