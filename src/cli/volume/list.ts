import { volumeFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { renderRows } from "../format/rows.ts";
import { volumeListing, volumesFormat } from "../format/volumes.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class VolumeListCommand extends RtCommand {
  static override usage: Usage = {
    category: "Volumes",
    description: "List volumes",
    details: `
      Filters: name, label, driver, dangling (true: no container has it). Fields of --format: .Name .Driver .Scope
      .Mountpoint .Labels, and {{.Label "key"}}.
    `,
    examples: [["Those that no container has", "$0 volume ls -q --filter dangling=true"]],
  };
  static override later = { cluster: "rt has no swarm" };

  filters = Option.Array("-f,--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Names only" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, volumeFilters);
    checkValues(filters, volumeFilters);
    const asked = this.format || (this.quiet ? "{{.Name}}" : "table");
    const engine = await this.engine();
    const listing = volumeListing(await engine.volume.list({ filters }));
    this.context.stdout.write(renderRows(asked === "table" ? volumesFormat : asked, listing));
    return 0;
  }
}
