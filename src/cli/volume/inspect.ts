import type { Usage } from "../command.ts";
import { InspectBase } from "../system/inspect.ts";

export default class VolumeInspectCommand extends InspectBase {
  static override usage: Usage = {
    category: "Volumes",
    description: "Show all that is known of volumes, as JSON",
    examples: [["Where its files are", "$0 volume inspect -f '{{.Mountpoint}}' data"]],
  };

  override async execute(): Promise<number> {
    return this.inspect(["volume"]);
  }
}
