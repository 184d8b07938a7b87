import { imageDeleteText } from "../../docker/image-delete.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class RmiCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Remove images",
    examples: [["Remove a tag, and the image when it was the last one", "$0 rmi alpine:3.20"]],
  };

  force = Option.Boolean("-f,--force", false, {
    description: "Remove all tags, and even if a container uses it; no error if there is none",
  });
  noPrune = Option.Boolean("--no-prune", false, { description: "Keep layers that nothing needs any more" });
  images = Option.Rest({ name: "IMAGE", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { force, noPrune } = this;
    const remove = async (name: string) => {
      const gone = await engine.image.remove(name, { force, prune: !noPrune });
      return gone.map((item) => `${imageDeleteText(item)}\n`).join("");
    };
    return await forEachName(this.images, this.context, remove, { absentIsFine: force });
  }
}
