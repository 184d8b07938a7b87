import { Option, RtCommand, type Usage } from "../command.ts";
import { renderRows } from "../format/rows.ts";
import { contextsOf, currentContext, defaultEngine } from "./context-flags.ts";

const usual = "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}";

export default class ContextListCommand extends RtCommand {
  static override usage: Usage = {
    category: "Contexts",
    description: "List Docker's contexts: names for engines",
    examples: [["Their names alone", "$0 context ls -q"]],
  };

  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Names only" });

  override async execute(): Promise<number> {
    const current = await currentContext(this.context);
    const contexts = (await contextsOf(this.context)).list();
    const all = [
      { name: "default", ...defaultEngine(this.context) },
      ...contexts.filter(({ name }) => name !== "default"),
    ];
    const listing = {
      headings: {
        Current: "",
        Name: "NAME",
        Description: "DESCRIPTION",
        DockerEndpoint: "DOCKER ENDPOINT",
        Error: "ERROR",
      },
      rows: all.map(({ name, description, host }) => ({
        Current: name === current,
        Description: description,
        DockerEndpoint: host,
        Error: "",
        Name: name,
      })),
    };
    const asked = this.format || (this.quiet ? "{{.Name}}" : "table");
    this.context.stdout.write(renderRows(asked === "table" ? usual : asked, listing));
    return 0;
  }
}
