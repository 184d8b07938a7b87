import { networkFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { networkListing, networksFormat } from "../format/networks.ts";
import { renderRows } from "../format/rows.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class NetworkListCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "List networks",
    details: `
      Filters: name, id, label, driver, scope, type (builtin or custom), dangling (true: no container runs in it). Fields of
      --format: .ID .Name .Driver .Scope .Internal .IPv4 .IPv6 .Labels .CreatedAt, and {{.Label "key"}}.
    `,
    examples: [["Those that somebody made", "$0 network ls --filter type=custom"]],
  };

  filters = Option.Array("-f,--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  noTrunc = Option.Boolean("--no-trunc", false, { description: "Whole ids" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Ids only" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, networkFilters);
    checkValues(filters, networkFilters);
    const asked = this.format || (this.quiet ? "{{.ID}}" : "table");
    const engine = await this.engine();
    const listing = networkListing(await engine.network.list({ filters }), !this.noTrunc);
    this.context.stdout.write(renderRows(asked === "table" ? networksFormat : asked, listing));
    return 0;
  }
}
