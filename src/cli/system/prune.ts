import { invalid } from "../../base/invalid.ts";
import { type Filters, systemPruneFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { prunedImagesText, prunedText, reclaimedText } from "../format/pruned.ts";
import { confirmList } from "../output/confirm.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class SystemPruneCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Remove what is not in use",
    details: `
      Containers that do not run, networks that no container runs in, and images without a name; with -a all images that no
      container has, with --volumes volumes that nobody named and no container has. Filters: until (made before that moment,
      or so long ago: 24h), label, and label!=KEY for those without it.
    `,
    examples: [["All that a day has left, unasked", "$0 system prune -af --filter until=24h"]],
  };

  all = Option.Boolean("-a,--all", false, { description: "All images that no container has" });
  filters = Option.Array("--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  force = Option.Boolean("-f,--force", false, { description: "Do not ask" });
  volumes = Option.Boolean("--volumes", false, { description: "Anonymous volumes too" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, systemPruneFilters);
    checkValues(filters, systemPruneFilters);
    if (this.volumes && filters.until) throw invalid('the "until" filter is not supported with "--volumes"');
    const engine = await this.engine({ needsRoot: true });
    if (!this.force && !confirmList(this.context, this.#losses(), this.filters)) return 0;
    const { stdout } = this.context;
    const containers = await engine.container.prune({ filters });
    stdout.write(prunedText("Containers", containers.ContainersDeleted));
    const { NetworksDeleted } = await engine.network.prune({ filters });
    stdout.write(prunedText("Networks", NetworksDeleted));
    let bytes = containers.SpaceReclaimed;
    if (this.volumes) {
      const volumes = await engine.volume.prune({ filters });
      stdout.write(prunedText("Volumes", volumes.VolumesDeleted));
      bytes += volumes.SpaceReclaimed;
    }
    const which: Filters = this.all ? { ...filters, dangling: ["false"] } : filters;
    const images = await engine.image.prune({ filters: which });
    stdout.write(prunedImagesText(images) + reclaimedText(bytes + images.SpaceReclaimed));
    return 0;
  }

  #losses(): string[] {
    return [
      "all stopped containers",
      "all networks not used by at least one container",
      ...(this.volumes ? ["all anonymous volumes not used by at least one container"] : []),
      this.all ? "all images without at least one container associated to them" : "all dangling images",
    ];
  }
}
