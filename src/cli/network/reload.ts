import { RtCommand, type Usage } from "../command.ts";

export default class NetworkReloadCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "Make again what networks need on this host",
    details: `
      For when something else has flushed the firewall's rules, or taken away a bridge. The next container that is started
      brings the rules back as well.
    `,
    examples: [["After the firewall was loaded anew", "$0 network reload"]],
  };

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.network.reload();
    return 0;
  }
}
