import { visibleJson } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { Template } from "../format/template.ts";
import { contextsOf, currentContext, defaultEngine } from "./context-flags.ts";

export default class ContextInspectCommand extends RtCommand {
  static override usage: Usage = {
    category: "Contexts",
    description: "Show where contexts lead, as JSON",
    examples: [["An address alone", "$0 context inspect -f '{{.Endpoints.docker.Host}}' box"]],
  };

  format = Option.String("-f,--format", { description: "`FORMAT` json, or a Go template" });
  names = Option.Rest({ name: "CONTEXT" });

  override async execute(): Promise<number> {
    const contexts = await contextsOf(this.context);
    const names = this.names.length > 0 ? this.names : [await currentContext(this.context)];
    const documents = names.map((name) => {
      const { host, description, skipTlsVerify, tlsDirectory } =
        name === "default"
          ? { ...defaultEngine(this.context), skipTlsVerify: false, tlsDirectory: "" }
          : contexts.get(name);
      return {
        Name: name,
        Metadata: description === "" ? {} : { Description: description },
        Endpoints: { docker: { Host: host, SkipTLSVerify: skipTlsVerify } },
        Storage: { TLSPath: tlsDirectory },
      };
    });
    const { stdout } = this.context;
    if (this.format === "json") stdout.write(`${visibleJson(documents)}\n`);
    else if (!this.format) stdout.write(`${visibleJson(documents, 4)}\n`);
    else for (const each of documents) stdout.write(`${new Template(this.format).render(each)}\n`);
    return 0;
  }
}
