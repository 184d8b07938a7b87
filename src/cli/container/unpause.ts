import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class UnpauseCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Let paused containers go on",
    examples: [["Go on where it stood", "$0 unpause web"]],
  };

  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.containers, this.context, async (name) => {
      await engine.container.unpause(name);
      return `${name}\n`;
    });
  }
}
