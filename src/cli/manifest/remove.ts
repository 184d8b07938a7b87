import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class ManifestRemoveCommand extends RtCommand {
  static override usage: Usage = {
    category: "Manifests",
    description: "Remove lists that were made here",
    details: "What a registry has of them stays there.",
    examples: [["One list", "$0 manifest rm team/app:2"]],
  };

  lists = Option.Rest({ name: "LIST", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.lists, this.context, async (name) => {
      await engine.manifest.remove(name);
      return "";
    });
  }
}
