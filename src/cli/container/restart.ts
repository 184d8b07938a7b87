import { parseSignal } from "../../base/signals.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";
import { parseTimeout, stopFlags } from "./stop-flags.ts";

export default class RestartCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Stop containers and start them again",
    details: "One that does not run is started.",
    examples: [["Let it read its configuration from the beginning", "$0 restart -t 30 web"]],
  };

  signal = stopFlags.signal();
  timeout = stopFlags.timeout();
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const signal = this.signal && parseSignal(this.signal).name;
    const timeout_s = parseTimeout(this.timeout);
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.containers, this.context, async (name) => {
      await engine.container.restart(name, { signal, timeout_s });
      return `${name}\n`;
    });
  }
}
