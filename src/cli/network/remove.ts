import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class NetworkRemoveCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "Remove networks",
    details: "One that a container runs in stays: stop the container first.",
    examples: [["Remove a network", "$0 network rm shop"]],
  };

  force = Option.Boolean("-f,--force", false, { description: "No error if there is none" });
  networks = Option.Rest({ name: "NETWORK", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { force } = this;
    return await forEachName(this.networks, this.context, async (name) => {
      const isGone = await engine.network.remove(name, { force });
      return isGone ? `${name}\n` : "";
    });
  }
}
