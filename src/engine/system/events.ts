import { RtError } from "../../base/errors.ts";
import { type EventMessage, parseEvent } from "../../docker/event.ts";
import { checkFilters, eventFilters, type Filters, hasLabel, matcher } from "../../docker/filters.ts";
import { parseMoment } from "../../docker/timestamp.ts";
import { followEvents } from "../../events/follow.ts";
import type { Host } from "../host.ts";

export interface EventsOptions {
  /** A moment as Docker's words have it; without one, from now on. */
  since?: string;
  /** Where to end; without one, never. */
  until?: string;
  filters: Filters;
}

/** What happens, as it happens. @throws RtError invalid-argument: a moment or a filter that is none */
export async function events(host: Host, options: EventsOptions): Promise<AsyncIterable<EventMessage>> {
  checkFilters(options.filters, eventFilters);
  const now = Date.now();
  const moment = (what: "since" | "until") =>
    options[what] ? parseMoment(what, options[what], now) : undefined;
  const [since, until] = [moment("since"), moment("until")];
  return within(host, matcher(options.filters, predicate), since, until);
}

async function* within(
  host: Host,
  holds: (event: EventMessage) => boolean,
  since: bigint | undefined,
  until: bigint | undefined,
): AsyncGenerator<EventMessage> {
  const end = until === undefined ? undefined : Number(until / 1_000_000n) + 1;
  const lines = followEvents(host.paths.state, {
    ...{ past: since !== undefined, until: end, abort: host.session.abort },
  });
  for await (const some of lines) {
    for (const event of some.flatMap((line) => parseEvent(line) ?? [])) {
      const time = BigInt(event.timeNano);
      const isWanted = (since === undefined || time >= since) && (until === undefined || time <= until);
      if (isWanted && holds(event)) yield event;
    }
  }
}

function predicate(key: string, value: string): (event: EventMessage) => boolean {
  switch (key) {
    case "type":
      return ({ Type }) => Type === value;
    case "event":
      // "exec_start: ls -l" is asked for without what is behind the colon.
      return ({ Action }) => Action === value || Action.startsWith(`${value}:`);
    case "scope":
      return ({ scope }) => scope === value;
    // Of most of these there is nothing here that could happen.
    case "config":
    case "container":
    case "daemon":
    case "network":
    case "node":
    case "plugin":
    case "secret":
    case "service":
    case "volume":
      return ({ Type, Actor }) =>
        Type === key && (Actor.ID.startsWith(value) || (Actor.Attributes.name ?? "").startsWith(value));
    case "image":
      return ({ Type, Actor: { ID, Attributes } }) => {
        const name = (Type === "image" ? Attributes.name : Attributes.image) ?? "";
        return [ID, name].some((text) => text === value || withoutTag(text) === value);
      };
    case "label":
      return ({ Actor }) => hasLabel(Actor.Attributes, value);
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}

function withoutTag(name: string): string {
  return name.replace(/:[^:/]*$/, "");
}
