import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class VolumeRemoveCommand extends RtCommand {
  static override usage: Usage = {
    category: "Volumes",
    description: "Remove volumes",
    details: "One that a container has, running or not, stays: remove the container first.",
    examples: [["Remove a volume, and its files with it", "$0 volume rm data"]],
  };

  force = Option.Boolean("-f,--force", false, { description: "No error if there is none" });
  volumes = Option.Rest({ name: "VOLUME", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { force } = this;
    return await forEachName(this.volumes, this.context, async (name) => {
      await engine.volume.remove(name, { force });
      return `${name}\n`;
    });
  }
}
