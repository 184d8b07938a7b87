import { RtCommand, type Usage } from "../command.ts";
import { currentContext } from "./context-flags.ts";

export default class ContextShowCommand extends RtCommand {
  static override usage: Usage = {
    category: "Contexts",
    description: "Print the name of the context that commands go by",
    examples: [["In a prompt", 'PS1="($($0 context show)) $PS1"']],
  };

  override async execute(): Promise<number> {
    this.context.stdout.write(`${await currentContext(this.context)}\n`);
    return 0;
  }
}
