import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";
import { contextsOf } from "./context-flags.ts";

export default class ContextRemoveCommand extends RtCommand {
  static override usage: Usage = {
    category: "Contexts",
    description: "Remove contexts, and the certificates that were kept for them",
    examples: [["One that is not needed any more", "$0 context rm box"]],
  };

  force = Option.Boolean("-f,--force", false, { description: "Also the current one" });
  names = Option.Rest({ name: "CONTEXT", required: 1 });

  override async execute(): Promise<number> {
    const contexts = await contextsOf(this.context);
    const remove = async (name: string) => {
      contexts.remove(name, { force: this.force });
      return `${name}\n`;
    };
    return await forEachName(this.names, this.context, remove);
  }
}
