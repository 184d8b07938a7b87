import type { Usage } from "../command.ts";
import { InspectBase } from "../system/inspect.ts";

export default class NetworkInspectCommand extends InspectBase {
  static override usage: Usage = {
    category: "Networks",
    description: "Show all that is known of networks, as JSON",
    examples: [
      [
        "Who is in it",
        "$0 network inspect -f '{{range .Containers}}{{println .Name .IPv4Address}}{{end}}' shop",
      ],
    ],
  };

  override async execute(): Promise<number> {
    return this.inspect(["network"]);
  }
}
