import { Option, RtCommand, type Usage } from "../command.ts";
import { historyFormat, historyListing } from "../format/history.ts";
import { renderRows } from "../format/rows.ts";

export default class HistoryCommand extends RtCommand {
  static override usage: Usage = {
    category: "Images",
    description: "Show how an image was made",
    details: `
      The last step first, each with the bytes of its layer as it is unpacked. Fields of --format: .ID .CreatedSince .CreatedAt
      .CreatedBy .Size .Comment.
    `,
    examples: [["The commands, whole", "$0 history --no-trunc --format '{{.CreatedBy}}' alpine"]],
  };

  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  human = Option.Boolean("-H,--human", true, {
    description: "Sizes and times for people (default true)",
  });
  noTrunc = Option.Boolean("--no-trunc", false, { description: "Do not shorten ids and commands" });
  platform = Option.String("--platform", { description: "`PLATFORM` The image for it, as linux/amd64" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Ids only" });

  image = Option.String({ name: "IMAGE" });

  override async execute(): Promise<number> {
    const engine = await this.engine();
    const items = await engine.image.history(this.image, { platform: this.platform });
    const { human } = this;
    const listing = historyListing(items, { human, truncate: !this.noTrunc, now: Date.now() });
    const format = this.format || (this.quiet ? "{{.ID}}" : "table");
    this.context.stdout.write(renderRows(format === "table" ? historyFormat(human) : format, listing));
    return 0;
  }
}
