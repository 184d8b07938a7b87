import { visible, visibleJson } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { Template } from "../format/template.ts";

export default class WhyCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Say why a container ended, is started again and again, or does not start",
    details: `
      In a few lines: what its exit status means, which signal ended it and who sent that, whether memory was short, why a
      start failed, what its restart policy and its health check say, which destinations --egress-allow closed to it, what is
      no longer as it was when it was created, and the last lines of its log.
    `,
    examples: [
      ["What has happened to it", "$0 why web"],
      ["For a program", "$0 why --format json web"],
    ],
  };

  format = Option.String("-f,--format", { description: "`FORMAT` json, or a Go template" });

  container = Option.String({ name: "CONTAINER" });

  override async execute(): Promise<number> {
    const template = this.format && this.format !== "json" ? new Template(this.format) : undefined;
    const engine = await this.engine({ needsRoot: true });
    const found = await engine.container.why(this.container);
    const { headline, findings, lastLines } = found;
    const { stdout } = this.context;
    if (template) stdout.write(`${template.render(found)}\n`);
    else if (this.format === "json") stdout.write(`${visibleJson(found)}\n`);
    else {
      const lines = [headline, ...findings.map((line) => `  ${line}`)];
      if (lastLines.length > 0) lines.push("  its last lines:", ...lastLines.map((line) => `    ${line}`));
      stdout.write(lines.map((line) => `${visible(line)}\n`).join(""));
    }
    return 0;
  }
}
