import { Option, RtCommand, type Usage } from "../command.ts";

export default class UntagCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Take names from an image",
    details: "Without a NAME all of them. The image stays, under its id.",
    examples: [["One of its names", "$0 untag app registry.example.org/team/app:2"]],
  };

  image = Option.String({ name: "IMAGE" });
  names = Option.Rest({ name: "NAME[:TAG]" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.image.untag(this.image, this.names);
    return 0;
  }
}
