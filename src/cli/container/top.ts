import { visible } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { cutLines } from "../format/fit.ts";
import { alignColumns } from "../format/rows.ts";

export default class TopCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Show the processes of a container",
    details: `
      What follows the container is for ps: -ef (the default), aux, or -o with fields such as pid, ppid, user, pcpu, rss,
      stat, etime, args. Process numbers are the host's.
    `,
    examples: [["Who takes the memory", "$0 top web -o pid,rss,args"]],
  };

  container = Option.String({ name: "CONTAINER" });
  psArguments = Option.Proxy({ name: "PS_OPTIONS" });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { Titles, Processes } = await engine.container.top(this.container, this.psArguments);
    // As ps does: titles that are all empty are no line.
    const titles = Titles.some((title) => title !== "") ? [Titles] : [];
    const lines = [...titles, ...Processes].map((cells) => cells.map(visible).join("\t"));
    const { stdout } = this.context;
    // Docker's columns are wide; on a terminal they would break around.
    if (stdout.isTerminal) stdout.write(cutLines(alignColumns(lines, 6), stdout.columns));
    else stdout.write(alignColumns(lines, 20));
    return 0;
  }
}
