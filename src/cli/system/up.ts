import { RtCommand, type Usage } from "../command.ts";
import { forEachContainer } from "./each-container.ts";

export default class UpCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Start what is to run after a start of the machine",
    details: `
      Containers whose restart policy is always, those of unless-stopped that nobody has stopped, and those of on-failure that
      ended with a failure, as a machine that goes down is one. They are started in the order in which they were made, after those
      whose namespaces or volumes they have. What was never started is left.

      One that fails is told of, and the others are started; the exit status is 1 then.
    `,
    examples: [
      ["What a unit of systemd does at boot, and its end (docs/rt.service)", "$0 system up; $0 system down"],
    ],
  };

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    return await forEachContainer(this.context, (options) => engine.system.up(options));
  }
}
