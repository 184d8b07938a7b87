import type { Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";
import { StopFlags } from "./stop-flags.ts";

export default class RestartCommand extends StopFlags {
  static override usage: Usage = {
    category: "Containers",
    description: "Stop containers and start them again",
    details: "One that does not run is started.",
    examples: [["Let it read its configuration from the beginning", "$0 restart -t 30 web"]],
  };

  override async execute(): Promise<number> {
    const options = this.stopOptions();
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.containers, this.context, async (name) => {
      await engine.container.restart(name, options);
      return `${name}\n`;
    });
  }
}
