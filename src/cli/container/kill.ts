import { parseSignal } from "../../base/signals.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class KillCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Send a signal to the program of running containers",
    examples: [
      ["End a container at once", "$0 kill web"],
      ["Ask its program to read its configuration again", "$0 kill -s HUP web"],
    ],
  };

  signal = Option.String("-s,--signal", "KILL", {
    description: "`SIGNAL` Name or number of the signal (default KILL)",
  });
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const signal = parseSignal(this.signal).name;
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.containers, this.context, async (name) => {
      await engine.container.kill(name, signal);
      return `${name}\n`;
    });
  }
}
