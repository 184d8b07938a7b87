import type { Usage } from "../command.ts";
import { InspectBase } from "../system/inspect.ts";

export default class ContainerInspectCommand extends InspectBase {
  static override usage: Usage = {
    category: "Containers",
    description: "Show all that is known of containers, as JSON",
    examples: [["How a container ended", "$0 container inspect -f '{{.State.ExitCode}}' web"]],
  };
  static override later = { s: "sizes come in a later version", size: "sizes come in a later version" };

  override async execute(): Promise<number> {
    return this.inspect(["container"]);
  }
}
