import { parseMoment } from "../../docker/timestamp.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class LogsCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Print what a container's program wrote",
    details: `
      Times of --since and --until: RFC 3339 (2024-05-01T10:00:00Z) or the beginning of it, Unix seconds, or how long ago
      (10m, 1h30m). What the program wrote to stdout and to stderr goes to ours.
    `,
    examples: [
      ["The last ten lines, and what comes", "$0 logs -f -n 10 web"],
      ["Of the last half hour, with times", "$0 logs -t --since 30m web"],
    ],
  };

  details = Option.Boolean("--details", false, { description: "Show the log's extra attributes" });
  follow = Option.Boolean("-f,--follow", false, {
    description: "Go on with what comes, to the container's end",
  });
  since = Option.String("--since", { description: "`TIME` Only from this time on" });
  tail = Option.String("-n,--tail", "all", { description: "`N` The last N lines (default all)" });
  timestamps = Option.Boolean("-t,--timestamps", false, { description: "Show the time of each line" });
  until = Option.String("--until", { description: "`TIME` Only before this time" });

  container = Option.String({ name: "CONTAINER" });

  override async execute(): Promise<number> {
    const { follow, timestamps, details } = this;
    const options = {
      ...{ follow, timestamps, details },
      tail: parseTail(this.tail),
      since: parseTime("since", this.since),
      until: parseTime("until", this.until),
    };
    const engine = await this.engine({ needsRoot: true });
    await engine.container.logs(this.container, options);
    return 0;
  }
}

/** As docker: what is no number of lines means all of them. */
function parseTail(text: string): number | undefined {
  return /^\+?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function parseTime(what: string, text: string | undefined): bigint | undefined {
  return text ? parseMoment(what, text, Date.now()) : undefined;
}
