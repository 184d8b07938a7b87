import { processFacts } from "../../base/build-info.ts";
import { visible, visibleJson } from "../../base/visible.ts";
import { type Version, versionDocument } from "../../docker/version.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { mayBeElsewhere } from "../engine.ts";
import { Template } from "../format/template.ts";

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
    const own = versionDocument(processFacts());
    const { stdout } = this.context;
    const template = this.format && this.format !== "json" ? new Template(this.format) : undefined;
    if (!this.format) {
      stdout.write(versionText("Client", own));
      // Where the engine is this process there is nothing more to know.
      if (!mayBeElsewhere(this.context)) return 0;
    }
    const { system } = await this.engine();
    const theirs = await system.version();
    if (!this.format) stdout.write(`\n${versionText("Server", theirs)}`);
    else if (template) stdout.write(`${template.render({ Client: named(own), Server: named(theirs) })}\n`);
    else stdout.write(`${visibleJson({ Client: own, Server: theirs })}\n`);
    return 0;
  }
}

/** Templates have Go's name of it besides that of the document. */
function named(version: Version): Version & { APIVersion: string } {
  return { ...version, APIVersion: version.ApiVersion };
}

/** @returns lines with their ends; what an engine does not say is left out */
function versionText(side: string, version: Version): string {
  const lines: [string, string][] = [
    ["Version", version.Version],
    ["API version", version.ApiVersion],
    ["Bun version", version.BunVersion],
    ["Zig version", version.ZigVersion],
    ["Git commit", version.GitCommit],
    ["Built", version.BuildTime],
    ["OS/Arch", `${version.Os}/${version.Arch}`],
    ["Kernel", version.KernelVersion],
  ];
  const said = lines.filter(([, value]) => value !== "");
  return `${side}:\n${said.map(([name, value]) => ` ${`${name}:`.padEnd(18)} ${visible(value)}\n`).join("")}`;
}
