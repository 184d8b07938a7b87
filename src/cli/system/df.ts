import { visibleJson } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import {
  diskUsageDetails,
  diskUsageFields,
  diskUsageFormat,
  diskUsageListing,
} from "../format/disk-usage.ts";
import { renderRows } from "../format/rows.ts";
import { Template } from "../format/template.ts";

export default class SystemDfCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Show what takes room on the disk",
    details: `
      Images are their unpacked layers, each counted once. Fields of --format: .Type .TotalCount .Active .Size .Reclaimable,
      with -v .Images .Containers .Volumes.
    `,
    examples: [["Each image, container and volume", "$0 system df -v"]],
  };

  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  verbose = Option.Boolean("-v,--verbose", false, { description: "Each of them" });

  override async execute(): Promise<number> {
    const { stdout } = this.context;
    const engine = await this.engine({ needsRoot: true });
    const usage = await engine.system.diskUsage();
    const format = this.format === "table" ? "" : (this.format ?? "");
    if (!this.verbose) {
      stdout.write(renderRows(format || diskUsageFormat, diskUsageListing(usage)));
    } else if (format === "") {
      stdout.write(diskUsageDetails(usage, Date.now()));
    } else {
      const fields = diskUsageFields(usage, Date.now());
      stdout.write(`${format === "json" ? visibleJson(fields) : new Template(format).render(fields)}\n`);
    }
    return 0;
  }
}
