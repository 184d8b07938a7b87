import { Option, RtCommand, type Usage } from "../command.ts";

export default class NetworkDisconnectCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "Take a container out of a network",
    details:
      "One that runs loses its interface there at once. Its default route leads to another of its networks then.",
    examples: [["", "$0 network disconnect shop web"]],
  };

  force = Option.Boolean("-f,--force", false, { description: "Also when there is no such network any more" });
  network = Option.String({ name: "NETWORK" });
  container = Option.String({ name: "CONTAINER" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.network.disconnect(this.network, this.container, { force: this.force });
    return 0;
  }
}
