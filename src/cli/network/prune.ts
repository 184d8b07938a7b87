import { networkPruneFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { prunedText } from "../format/pruned.ts";
import { confirm } from "../output/confirm.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class NetworkPruneCommand extends RtCommand {
  static override usage: Usage = {
    category: "Networks",
    description: "Remove networks that no container runs in",
    details: `
      What the default network has on this host goes too, until a container needs it again. Filters: until (created before
      that moment, or so long ago: 24h), label, and label!=KEY for those without it.
    `,
    examples: [["Unasked", "$0 network prune -f"]],
  };

  filters = Option.Array("--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  force = Option.Boolean("-f,--force", false, { description: "Do not ask" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, networkPruneFilters);
    checkValues(filters, networkPruneFilters);
    const engine = await this.engine({ needsRoot: true });
    const loss = "all custom networks not used by at least one container";
    if (!this.force && !confirm(this.context, loss)) return 0;
    const { NetworksDeleted } = await engine.network.prune({ filters });
    this.context.stdout.write(prunedText("Networks", NetworksDeleted));
    return 0;
  }
}
