import { visibleJson } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { Template } from "../format/template.ts";

export default class InfoCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Show what rt has here and what this host allows",
    examples: [["The snapshot driver in use", "$0 info --format '{{.Driver}}'"]],
  };

  format = Option.String("-f,--format", { description: "`FORMAT` json, or a Go template" });

  override async execute(): Promise<number> {
    const template = this.format && this.format !== "json" ? new Template(this.format) : undefined;
    // The driver is the one that is in use in an ordinary user's own namespace.
    const engine = await this.engine({ needsRoot: true });
    const facts = await engine.system.info();
    if (template) this.context.stdout.write(`${template.render(facts)}\n`);
    else if (this.format === "json") this.context.stdout.write(`${visibleJson(facts)}\n`);
    else {
      const { infoText } = await import("../format/info.ts");
      this.context.stdout.write(infoText(facts, this.context.program === "docker"));
    }
    return 0;
  }
}
