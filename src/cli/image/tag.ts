import { Option, RtCommand, type Usage } from "../command.ts";

export default class TagCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Give an image another name",
    details: `
      IMAGE is a name or an id; there may be several names to give. One that another image has leads here from then on. A name
      with the tag rt.keep, as "alpine:rt.keep", keeps the image from being removed for the sake of store-limit (config.toml).
    `,
    examples: [["To be pushed to a registry", "$0 tag app registry.example.org/team/app:2"]],
  };

  source = Option.String({ name: "IMAGE" });
  targets = Option.Rest({ name: "NAME[:TAG]", required: 1 });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    await engine.image.tag(this.source, this.targets);
    return 0;
  }
}
