import { Option, RtCommand, type Usage } from "../command.ts";

/** What a monitor becomes when its program has ended and no client sees to that. Nobody types it, and nobody reads its output. */
export default class ConcludeCommand extends RtCommand {
  static override usage: Usage = {
    description: "Write down how a container ended",
    examples: [["As a monitor calls it", "$0 container conclude ID"]],
  };

  container = Option.String({ name: "ID" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.container.conclude(this.container);
    return 0;
  }
}
