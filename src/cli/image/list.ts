import { imageFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { imageListing, imagesFormat } from "../format/images.ts";
import { renderRows } from "../format/rows.ts";
import { parseFilterFlags } from "../parse/filter.ts";

export default class ImagesCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "List images",
    details: `
      With REPOSITORY[:TAG], only those of that name. Filters: reference (a pattern), dangling (true, false), label,
      before, since. Fields of --format: .ID .Repository .Tag .Digest .CreatedSince .CreatedAt .Size.
    `,
    examples: [
      ["Names and sizes", "$0 images --format '{{.Repository}}:{{.Tag}} {{.Size}}'"],
      ["Ids of images without a name", "$0 images -q --filter dangling=true"],
    ],
  };
  static override later = { tree: "it comes in a later version" };

  all = Option.Boolean("-a,--all", false, { description: "All (rt has no intermediate images to hide)" });
  digests = Option.Boolean("--digests", false, { description: "Digests too" });
  filters = Option.Array("-f,--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  noTrunc = Option.Boolean("--no-trunc", false, { description: "Do not shorten ids" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Ids only" });

  pattern = Option.String({ name: "REPOSITORY[:TAG]", required: false });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, imageFilters);
    const engine = await this.engine();
    const images = await engine.image.list({
      filters,
      ...(this.pattern !== undefined && { pattern: this.pattern }),
    });
    const listing = imageListing(images, !this.noTrunc, Date.now());
    const format = this.format || (this.quiet ? "{{.ID}}" : "table");
    this.context.stdout.write(renderRows(format === "table" ? imagesFormat(this.digests) : format, listing));
    return 0;
  }
}
