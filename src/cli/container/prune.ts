import { humanSize } from "../../base/human-size.ts";
import { containerPruneFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { confirm } from "../output/confirm.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class ContainerPruneCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Remove all containers that do not run",
    details: `
      Filters: until (created before that moment, or so long ago: 24h), label, and label!=KEY for those without it. Their
      volumes stay.
    `,
    examples: [["What has been lying there for a day, unasked", "$0 container prune -f --filter until=24h"]],
  };

  filters = Option.Array("--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  force = Option.Boolean("-f,--force", false, { description: "Do not ask" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, containerPruneFilters);
    checkValues(filters, containerPruneFilters);
    const engine = await this.engine({ needsRoot: true });
    if (!this.force && !confirm(this.context, "all stopped containers")) return 0;
    const { ContainersDeleted, SpaceReclaimed } = await engine.container.prune({ filters });
    const ids = ContainersDeleted.map((id) => `${id}\n`).join("");
    const told = ids && `Deleted Containers:\n${ids}\n`;
    this.context.stdout.write(`${told}Total reclaimed space: ${humanSize(SpaceReclaimed)}\n`);
    return 0;
  }
}
