import { Option, type Usage } from "../command.ts";
import { InspectBase, sizeWords } from "../system/inspect.ts";

export default class ContainerInspectCommand extends InspectBase {
  static override usage: Usage = {
    category: "Containers",
    description: "Show all that is known of containers, as JSON",
    examples: [["How a container ended", "$0 container inspect -f '{{.State.ExitCode}}' web"]],
  };

  size = Option.Boolean("-s,--size", false, { description: sizeWords });

  override async execute(): Promise<number> {
    return this.inspect(["container"], { size: this.size });
  }
}
