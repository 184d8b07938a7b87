import type { Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";
import { StopFlags } from "./stop-flags.ts";

export default class StopCommand extends StopFlags {
  static override usage: Usage = {
    category: "Containers",
    description: "Stop running containers",
    details: `
      Each gets its stop signal (SIGTERM unless the image or --stop-signal say otherwise), and SIGKILL when it has not ended
      after its timeout. No restart policy starts it again. Several are stopped at once.
    `,
    examples: [["Give a database a minute to write down what it has", "$0 stop -t 60 db"]],
  };

  override async execute(): Promise<number> {
    const options = this.stopOptions();
    const engine = await this.engine({ needsRoot: true });
    const stop = async (name: string) => {
      await engine.container.stop(name, options);
      return `${name}\n`;
    };
    return await forEachName(this.containers, this.context, stop, { atOnce: true });
  }
}
