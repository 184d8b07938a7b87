import { visibleJson } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { Template } from "../format/template.ts";

const text = new Template(`Client:
 Version:           {{.Client.Version}}
 API version:       {{.Client.ApiVersion}}
 Bun version:       {{.Client.BunVersion}}
 Zig version:       {{.Client.ZigVersion}}
 Git commit:        {{.Client.GitCommit}}
 Built:             {{.Client.BuildTime}}
 OS/Arch:           {{.Client.Os}}/{{.Client.Arch}}
 Kernel:            {{.Client.KernelVersion}}`);

export default class VersionCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Show the version of rt and what it was built with",
    examples: [
      ["The version alone", "$0 version --format '{{.Client.Version}}'"],
      ["The licences of all that is inside this file", "$0 version --licenses"],
    ],
  };

  format = Option.String("-f,--format", { description: "`FORMAT` json, or a Go template" });

  licenses = Option.Boolean("--licenses", false, {
    description: "Print what this file consists of, with the licences",
  });

  override async execute(): Promise<number> {
    if (this.licenses) {
      const { licenses } = await import("../../base/licenses.ts");
      this.context.stdout.write(await licenses());
      return 0;
    }
    const template = this.format ? new Template(this.format) : text;
    // The engine is this process: scripts that ask for .Server find it.
    const { system } = await this.engine();
    const facts = { Client: await system.version(), Server: await system.version() };
    this.context.stdout.write(`${this.format === "json" ? visibleJson(facts) : template.render(facts)}\n`);
    return 0;
  }
}
