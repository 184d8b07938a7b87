import { invalid, quote } from "../../base/invalid.ts";
import { searchFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { renderRows } from "../format/rows.ts";
import { searchFormat, searchListing } from "../format/search.ts";
import { dockerStatus } from "../output/docker-status.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class SearchCommand extends RtCommand {
  static override usage: Usage = {
    category: "Registries",
    description: "Look for images in a registry",
    details: `
      TERM is looked for at Docker Hub, or with HOST/TERM at that registry: by its own search, or where it has none among the
      names in its catalog. Filters: stars (at least so many), is-official, is-automated. Fields of --format: .Name
      .Description .StarCount .IsOfficial .IsAutomated.
    `,
    examples: [
      ["The official ones", "$0 search --filter is-official=true nginx"],
      ["At a registry of one's own", "$0 search registry.lan:5000/team"],
    ],
  };

  filters = Option.Array("-f,--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  limit = Option.String("--limit", "25", { description: "`N` At most so many, up to 100 (default 25)" });
  noTrunc = Option.Boolean("--no-trunc", false, { description: "Whole descriptions" });
  tlsVerify = Option.Boolean("--tls-verify", true, {
    description: "Insist on TLS that verifies (default true); =false allows plain http too",
  });

  term = Option.String({ name: "TERM" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, searchFilters);
    checkValues(filters, searchFilters);
    if (!/^\d{1,9}$/.test(this.limit)) throw invalid(`invalid --limit ${quote(this.limit)}: want a number`);
    const engine = await this.engine();
    const { limit, tlsVerify } = this;
    const found = await dockerStatus(
      engine.registry.search(this.term, { limit: Number(limit) || 25, filters, tlsVerify }),
    );
    const format = this.format || "table";
    const isJson = format === "json" || /\bjson\b/.test(format);
    const listing = searchListing(found, !this.noTrunc, isJson);
    this.context.stdout.write(renderRows(format === "table" ? searchFormat : format, listing));
    return 0;
  }
}
