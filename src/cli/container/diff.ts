import { visible } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class DiffCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "List what a container changed of its image's files",
    details: `
      A: added, C: changed, D: deleted. Files in volumes are not the container's own.
    `,
    examples: [["What has been written besides the volumes", "$0 diff web"]],
  };

  container = Option.String({ name: "CONTAINER" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const changes = await engine.container.diff(this.container);
    this.context.stdout.write(changes.map(({ kind, path }) => `${kind} ${visible(path)}\n`).join(""));
    return 0;
  }
}
