import { humanSize } from "../../base/human-size.ts";
import { invalid } from "../../base/invalid.ts";
import { volumePruneFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { confirm } from "../output/confirm.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class VolumePruneCommand extends RtCommand {
  static override usage: Usage = {
    category: "Volumes",
    description: "Remove volumes that no container has",
    details: "Without -a, those that nobody named. Filters: label, and label!=KEY for those without it.",
    examples: [["All that is not in use, unasked", "$0 volume prune -af"]],
  };

  all = Option.Boolean("-a,--all", false, { description: "Also those that somebody named" });
  filters = Option.Array("--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  force = Option.Boolean("-f,--force", false, { description: "Do not ask" });

  override async execute(): Promise<number> {
    const asked = parseFilterFlags(this.filters, volumePruneFilters);
    checkValues(asked, volumePruneFilters);
    if (this.all && asked.all)
      throw invalid("conflicting options: cannot specify both --all and --filter all=1");
    const filters = this.all ? { ...asked, all: ["true"] } : asked;
    const engine = await this.engine({ needsRoot: true });
    const which =
      this.all || asked.all?.some((value) => value === "1" || value === "true") ? "all" : "anonymous";
    const loss = `${which} local volumes not used by at least one container`;
    if (!this.force && !confirm(this.context, loss)) return 0;
    const { VolumesDeleted, SpaceReclaimed } = await engine.volume.prune({ filters });
    const names = VolumesDeleted.map((name) => `${name}\n`).join("");
    const told = names ? `Deleted Volumes:\n${names}\n` : "";
    this.context.stdout.write(`${told}Total reclaimed space: ${humanSize(SpaceReclaimed)}\n`);
    return 0;
  }
}
