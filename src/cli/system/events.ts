import { RtError } from "../../base/errors.ts";
import { type EventMessage, eventJson, eventText } from "../../docker/event.ts";
import { eventFilters } from "../../docker/filters.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { Template } from "../format/template.ts";
import { parseFilterFlags } from "../parse/filter.ts";

export default class EventsCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Show what happens to containers, images, volumes and networks, as it happens",
    details: `
      --since and --until take a time (2025-01-31T12:00:00), seconds since 1970, or how long ago (10m). Filters: type,
      event, container, image, volume, network, label. Fields of --format: .Type .Action .Actor.ID .Actor.Attributes .Time
      .TimeNano .Scope.
    `,
    examples: [
      ["What has happened in the last hour", "$0 events --since 1h --until 0s"],
      ["Names of containers that end", "$0 events -f event=die --format '{{.Actor.Attributes.name}}'"],
    ],
  };

  filters = Option.Array("-f,--filter", [], { description: "`KEY=VALUE` Only those for which this holds" });
  format = Option.String("--format", { description: "`FORMAT` json, or a Go template" });
  since = Option.String("--since", { description: "`TIME` Also what has happened since then" });
  until = Option.String("--until", { description: "`TIME` End then" });

  override async execute(): Promise<number> {
    const filters = parseFilterFlags(this.filters, eventFilters);
    const show = shower(this.format);
    const engine = await this.engine({ needsRoot: true });
    const { since, until } = this;
    const events = await engine.system.events({ filters, ...(since && { since }), ...(until && { until }) });
    try {
      for await (const event of events) this.context.stdout.write(`${show(event)}\n`);
    } catch (error) {
      // Whoever has seen enough says so with ctrl-c.
      if (error instanceof RtError && error.code === "cancelled") return error.exitCode;
      throw error;
    }
    return 0;
  }
}

/** @throws RtError invalid-argument: no template */
function shower(format: string | undefined): (event: EventMessage) => string {
  if (!format) return eventText;
  if (format === "json" || /^\{\{\s*json\s+\.\s*\}\}$/.test(format)) return eventJson;
  const template = new Template(format);
  return (event) => template.render(fields(event));
}

function fields({ Type, Action, Actor, scope, time, timeNano, status, id, from }: EventMessage) {
  const early = { Status: status ?? "", ID: id ?? "", From: from ?? "" };
  return { ...early, Type, Action, Actor, Scope: scope, Time: time, TimeNano: timeNano };
}
