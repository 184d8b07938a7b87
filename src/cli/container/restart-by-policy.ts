import { Option, RtCommand, type Usage } from "../command.ts";

/** What a monitor becomes when its program is to be started again. Nobody types it, and nobody reads its output. */
export default class RestartByPolicyCommand extends RtCommand {
  static override usage: Usage = {
    description: "Start a container's program again",
    examples: [["As a monitor calls it", "$0 container restart-by-policy ID"]],
  };

  container = Option.String({ name: "ID" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.container.restartByPolicy(this.container);
    return 0;
  }
}
