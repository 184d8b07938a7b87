import { invalid, quote } from "../../base/invalid.ts";
import { containerFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import {
  containerListing,
  containersFormat,
  containersGive,
  showsDetails,
  showsSizes,
} from "../format/containers.ts";
import { type Layout, renderRows } from "../format/rows.ts";
import { checkValues, parseFilterFlags } from "../parse/filter.ts";

export default class PsCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "List containers",
    details: `
      Without -a, those that run. Filters: name, id, status (created, running, paused, restarting, exited), health
      (healthy, unhealthy, starting, none), label, network, ancestor, exited (the exit status), before, since, volume (its
      name, or where it is). Fields of --format: .ID .Names .Image .Command .CreatedAt .RunningFor .Status .State .Ports
      .Labels .Mounts .Networks .LocalVolumes .Platform .Size, and {{.Label "key"}}.
    `,
    examples: [
      ["All containers, with only some columns", "$0 ps -a --format 'table {{.Names}}\\t{{.Status}}'"],
      ["Ids of what has failed", "$0 ps -aq --filter exited=1"],
    ],
  };

  all = Option.Boolean("-a,--all", false, { description: "Also those that do not run" });
  filters = Option.Array("-f,--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  last = Option.String("-n,--last", { description: "`N` The last N created, running or not" });
  latest = Option.Boolean("-l,--latest", false, { description: "The last one created, running or not" });
  noTrunc = Option.Boolean("--no-trunc", false, { description: "Do not shorten ids and commands" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Ids only" });
  size = Option.Boolean("-s,--size", false, { description: "Sizes too" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, containerFilters);
    checkValues(filters, containerFilters);
    const last = this.latest ? 1 : parseLast(this.last);
    const all = this.all || last > 0 || filters.status !== undefined;
    const asked = this.format || (this.quiet ? "{{.ID}}" : "table");
    const format = asked === "table" ? containersFormat(this.size) : asked;
    const engine = await this.engine();
    const found = await engine.container.list({
      ...{ all, filters, size: this.size || showsSizes(format), details: showsDetails(format) },
      ...(last > 0 && { last }),
    });
    const { stdout } = this.context;
    const listing = containerListing(found, !this.noTrunc, Date.now());
    const isFitted = asked === "table" && !this.noTrunc && stdout.isTerminal;
    stdout.write(renderRows(format, listing, isFitted ? await fittedTo(stdout.columns) : undefined));
    return 0;
  }
}

/** A line that breaks at the edge of the terminal is hard to read. */
async function fittedTo(columns: number): Promise<Layout> {
  const { fitTable } = await import("../format/fit.ts");
  return (lines) => fitTable(lines, columns, containersGive);
}

/** Docker's -1 is "all that the other flags say". */
function parseLast(text: string | undefined): number {
  if (text === undefined) return -1;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw invalid(`invalid --last ${quote(text)}: want a number`);
}
