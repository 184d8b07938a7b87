import { RtError } from "../../base/errors.ts";
import { figuresOf, type StatsDocument } from "../../docker/stats.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { cutLines, fitTable } from "../format/fit.ts";
import { alignColumns, type Layout, type Listing, renderRows } from "../format/rows.ts";
import { sparkline, statsFormat, statsGive, statsListing } from "../format/stats.ts";

const historyMax = 30;
const csi = "\u001b[";

export default class StatsCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Show what containers use, as they use it",
    details: `
      Without names, all that run. On a terminal the list is drawn anew each second, with what the processors did before
      where there is room. Fields of --format: .Container .Name .ID .CPUPerc .MemUsage .MemPerc .NetIO .BlockIO .PIDs.
    `,
    examples: [
      ["Once, for a script", "$0 stats --no-stream --format '{{.Name}} {{.MemUsage}}'"],
      ["Two of them", "$0 stats web db"],
    ],
  };

  all = Option.Boolean("-a,--all", false, { description: "Also those that do not run" });
  format = Option.String("--format", {
    description: "`FORMAT` json, or a Go template, or table and a template",
  });
  noStream = Option.Boolean("--no-stream", false, { description: "Only what they use now" });
  noTrunc = Option.Boolean("--no-trunc", false, { description: "Do not shorten ids" });
  containers = Option.Rest({ name: "CONTAINER" });

  readonly #history = new Map<string, number[]>();

  override async execute(): Promise<number> {
    const format = !this.format || this.format === "table" ? statsFormat : this.format;
    const engine = await this.engine();
    const { all, containers: names, noStream } = this;
    const asked = new Map<string, string>();
    const options = { names, all, stream: !noStream };
    try {
      for await (const found of await engine.container.stats(options)) {
        this.#name(found, asked);
        this.#show(format, found, asked);
      }
    } catch (error) {
      // Whoever has seen enough says so with ctrl-c.
      if (error instanceof RtError && error.code === "cancelled") return error.exitCode;
      throw error;
    }
    return 0;
  }

  /** Docker's field .Container is what the user wrote. */
  #name(found: readonly StatsDocument[], asked: Map<string, string>): void {
    const fits = (word: string, { id, name }: StatsDocument) => `/${word}` === name || id.startsWith(word);
    for (const document of found) {
      const word = this.containers.find((each) => fits(each, document));
      if (word !== undefined) asked.set(document.id, word);
    }
  }

  #show(format: string, found: StatsDocument[], asked: ReadonlyMap<string, string>): void {
    const { stdout } = this.context;
    const listing = statsListing(found, !this.noTrunc, asked);
    const { columns, rows } = stdout;
    const isFitted = !this.format && !this.noTrunc && stdout.isTerminal;
    const fitted: Layout = (lines) => fitTable(lines, columns, statsGive);
    if (this.noStream || !stdout.isTerminal) {
      stdout.write(renderRows(format, listing, isFitted ? fitted : undefined));
      return;
    }
    const text = this.format
      ? renderRows(format, listing)
      : this.#withHistory(listing, found, columns, isFitted ? fitted : undefined);
    const lines = cutLines(text, columns).split("\n").slice(0, -1);
    const seen = lines.length < rows ? lines : lines.slice(0, rows - 1);
    stdout.write(`${csi}H${seen.map((line) => `${line}${csi}K\n`).join("")}${csi}J`);
  }

  #withHistory(listing: Listing, found: readonly StatsDocument[], columns: number, layout?: Layout): string {
    const table = renderRows(statsFormat, listing, layout).split("\n").slice(0, -1);
    const width = Math.max(...table.map((line) => line.length));
    const room = Math.min(historyMax, columns - width - 3);
    const lines = found.map((document) => {
      const values = [...(this.#history.get(document.id) ?? []), figuresOf(document).cpuPercent];
      this.#history.set(document.id, values.slice(-historyMax));
      return room < 8 ? "" : sparkline(values.slice(-room), 100);
    });
    if (room < 8) return `${table.join("\n")}\n`;
    const all = ["CPU HISTORY", ...lines];
    return alignColumns(table.map((line, index) => `${line}\t${all[index]}`));
  }
}
