import { parseSignal } from "../../base/signals.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";
import { parseTimeout, stopFlags } from "./stop-flags.ts";

export default class StopCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Stop running containers",
    details: `
      Each gets its stop signal (SIGTERM unless the image or --stop-signal say otherwise), and SIGKILL when it has not ended
      after its timeout. No restart policy starts it again. Several are stopped at once.
    `,
    examples: [["Give a database a minute to write down what it has", "$0 stop -t 60 db"]],
  };

  signal = stopFlags.signal();
  timeout = stopFlags.timeout();
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const signal = this.signal && parseSignal(this.signal).name;
    const timeout_s = parseTimeout(this.timeout);
    const engine = await this.engine({ needsRoot: true });
    const stop = async (name: string) => {
      await engine.container.stop(name, { signal, timeout_s });
      return `${name}\n`;
    };
    return await forEachName(this.containers, this.context, stop, { atOnce: true });
  }
}
