import { RtError } from "../../base/errors.ts";
import { parseRestart } from "../../settings/restart.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

const limits = [
  ..."m memory memory-reservation memory-swap kernel-memory blkio-weight pids-limit".split(" "),
  ..."c cpus cpu-shares cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpuset-cpus cpuset-mems".split(" "),
];

export default class UpdateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Change the restart policy of containers",
    details: "One that runs has it from its next end on.",
    examples: [["From now on it comes back whatever happens", "$0 update --restart always web"]],
  };
  static override later = Object.fromEntries(
    limits.map((name) => [name, "limits on resources come in a later version"]),
  );

  restart = Option.String("--restart", {
    description: "`POLICY` no, on-failure[:N], always or unless-stopped",
  });
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    if (this.restart === undefined) {
      const message = "you must provide one or more flags when using this command";
      throw new RtError("invalid-argument", message, { exitCode: 1 });
    }
    const restart = parseRestart(this.restart);
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.containers, this.context, async (name) => {
      await engine.container.update(name, { restart });
      return `${name}\n`;
    });
  }
}
