import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class PauseCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Suspend all processes of containers",
    examples: [["Make a container stand still while its volume is copied", "$0 pause web"]],
  };

  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.containers, this.context, async (name) => {
      await engine.container.pause(name);
      return `${name}\n`;
    });
  }
}
