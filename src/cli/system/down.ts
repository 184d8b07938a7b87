import { RtCommand, type Usage } from "../command.ts";
import { forEachContainer } from "./each-container.ts";

export default class DownCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Stop all containers, to be started again by rt system up",
    details: `
      Each gets its stop signal, and SIGKILL after its own timeout: many at once, the last that was started first, and those that
      others need after the others. No restart policy starts them again before rt system up does.

      One that fails is told of, and the others are stopped; the exit status is 1 then.
    `,
    examples: [["Before the machine goes down", "$0 system down"]],
  };

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    return await forEachContainer(this.context, (options) => engine.system.down(options));
  }
}
