import { Option, type Usage } from "../command.ts";
import { InspectBase } from "../system/inspect.ts";

export default class ImageInspectCommand extends InspectBase {
  static override usage: Usage = {
    category: "Images",
    description: "Show all that is known of images, as JSON",
    examples: [["What an image runs", "$0 image inspect -f '{{json .Config.Cmd}}' alpine"]],
  };

  platform = Option.String("--platform", { description: "`PLATFORM` The image for it, as linux/amd64" });

  override async execute(): Promise<number> {
    return this.inspect(["image"], { platform: this.platform });
  }
}
