import { Option, RtCommand, type Usage } from "../command.ts";
import { contextsOf } from "./context-flags.ts";

export default class ContextUseCommand extends RtCommand {
  static override usage: Usage = {
    category: "Contexts",
    description: "Make a context the one that Docker's command line goes by",
    details: `
      It is written into Docker's configuration, for docker and for an rt that is called "docker". rt under its own name works
      here unless --context, -H, RT_CONTEXT or RT_HOST say otherwise.
    `,
    examples: [["Back to the engine here", "$0 context use default"]],
  };

  name = Option.String({ name: "CONTEXT" });

  override async execute(): Promise<number> {
    const { stdout, stderr, program } = this.context;
    (await contextsOf(this.context)).use(this.name);
    stdout.write(`${this.name}\n`);
    if (program === "docker") stderr.write(`Current context is now "${this.name}"\n`);
    else stderr.write(`rt: docker goes by it from here on; rt itself by --context and RT_CONTEXT\n`);
    return 0;
  }
}
