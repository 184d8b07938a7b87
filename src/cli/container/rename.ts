import { Option, RtCommand, type Usage } from "../command.ts";

export default class RenameCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Give a container another name",
    examples: [["Keep the old one while a new one takes its name", "$0 rename web web-before"]],
  };

  container = Option.String({ name: "CONTAINER" });
  newName = Option.String({ name: "NEW_NAME" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.container.rename(this.container, this.newName);
    return 0;
  }
}
