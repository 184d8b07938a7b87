import { imagePruneFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { prunedImagesText, reclaimedText } from "../format/pruned.ts";
import { confirm } from "../output/confirm.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class ImagePruneCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Remove images that nothing has a name for",
    details: `
      With -a, all that no container has. Filters: until (made before that moment, or so long ago: 24h), label, and
      label!=KEY for those without it.
    `,
    examples: [["All that no container has, unasked", "$0 image prune -af"]],
  };

  all = Option.Boolean("-a,--all", false, { description: "All that no container has" });
  filters = Option.Array("--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  force = Option.Boolean("-f,--force", false, { description: "Do not ask" });

  override async execute(): Promise<number> {
    const asked = parseFilterFlags(this.filters, imagePruneFilters);
    checkValues(asked, imagePruneFilters);
    const filters = this.all ? { ...asked, dangling: ["false"] } : asked;
    const engine = await this.engine({ needsRoot: true });
    const loss = this.all
      ? "all images without at least one container associated to them"
      : "all dangling images";
    if (!this.force && !confirm(this.context, loss)) return 0;
    const pruned = await engine.image.prune({ filters });
    this.context.stdout.write(prunedImagesText(pruned) + reclaimedText(pruned.SpaceReclaimed));
    return 0;
  }
}
