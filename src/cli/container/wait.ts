import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class WaitCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Wait until containers end, then print their exit statuses",
    examples: [["Go on when a job is done, or has failed", "test $($0 wait job) = 0"]],
  };

  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const wait = async (name: string) => `${await engine.container.wait(name)}\n`;
    // Those that are removed as soon as they end must be looked at from the beginning.
    return await forEachName(this.containers, this.context, wait, { atOnce: true });
  }
}
