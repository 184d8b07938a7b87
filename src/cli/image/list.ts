import { invalid } from "../../base/invalid.ts";
import { imageFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { imageTree } from "../format/image-tree.ts";
import { imageListing, imagesFormat } from "../format/images.ts";
import { renderRows } from "../format/rows.ts";
import { parseFilterFlags } from "../parse/filter.ts";

export default class ImagesCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "List images",
    details: `
      With REPOSITORY[:TAG], only those of that name. Filters: reference (a pattern), dangling (true, false), label,
      before, since (made before or after an image), until (made before that moment, or so long ago: 24h). Fields of
      --format: .ID .Repository .Tag .Digest .CreatedSince .CreatedAt .Size .VirtualSize .Containers.

      With --tree each image has the platforms below it that its name stands for: what they take on the disk, with their
      layers unpacked, what of that is blobs as a registry has them, and whether a container has them.
    `,
    examples: [
      ["Names and sizes", "$0 images --format '{{.Repository}}:{{.Tag}} {{.Size}}'"],
      ["Ids of images without a name", "$0 images -q --filter dangling=true"],
    ],
  };
  all = Option.Boolean("-a,--all", false, { description: "All (rt has no intermediate images to hide)" });
  digests = Option.Boolean("--digests", false, { description: "Digests too" });
  filters = Option.Array("-f,--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  noTrunc = Option.Boolean("--no-trunc", false, { description: "Do not shorten ids" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Ids only" });
  tree = Option.Boolean("--tree", false, { description: "The platforms of each image, and what they take" });

  pattern = Option.String({ name: "REPOSITORY[:TAG]", required: false });

  override async execute(): Promise<number> {
    if (this.tree) this.#checkTree();
    const filters = parseFilterFlags(this.filters, imageFilters);
    const engine = await this.engine();
    const images = await engine.image.list({
      filters,
      ...(this.pattern !== undefined && { pattern: this.pattern }),
      ...(this.tree && { manifests: true }),
    });
    const { stdout } = this.context;
    if (this.tree) {
      stdout.write(imageTree(images, stdout));
      return 0;
    }
    const listing = imageListing(images, !this.noTrunc, Date.now());
    const format = this.format || (this.quiet ? "{{.ID}}" : "table");
    stdout.write(renderRows(format === "table" ? imagesFormat(this.digests) : format, listing));
    return 0;
  }

  /** @throws RtError in Docker's words */
  #checkTree(): void {
    const others: [given: boolean, flag: string][] = [
      [this.quiet, "--quiet"],
      [this.noTrunc, "--no-trunc"],
      [this.digests, "--digests"],
      [Boolean(this.format), "--format"],
    ];
    const flag = others.find(([given]) => given)?.[1];
    if (flag !== undefined) throw invalid(`${flag} is not yet supported with --tree`);
  }
}
