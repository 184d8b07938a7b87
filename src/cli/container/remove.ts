import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";

export default class RmCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Remove containers",
    examples: [["Remove a container, killing it if it runs", "$0 rm -f web"]],
  };
  static override later = { l: "links come with bridge networks", link: "links come with bridge networks" };

  force = Option.Boolean("-f,--force", false, {
    description: "Kill it first if it runs; no error if there is none",
  });
  volumes = Option.Boolean("-v,--volumes", false, { description: "Remove its anonymous volumes too" });
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { force, volumes } = this;
    const remove = async (name: string) => {
      await engine.container.remove(name, { force, volumes });
      return `${name}\n`;
    };
    return await forEachName(this.containers, this.context, remove, { absentIsFine: force });
  }
}
