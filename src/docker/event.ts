import { type Infer, integer, mapOf, object, optional, ShapeError, text } from "../base/shape.ts";
import { visible, visibleJson } from "../base/visible.ts";

const message = object({
  /** The first three stand for themselves once more, for clients of long ago; a volume has none. */
  status: optional(text),
  id: optional(text),
  from: optional(text),
  Type: text,
  Action: text,
  Actor: object({ ID: text, Attributes: mapOf(text) }),
  scope: text,
  /** Seconds since the epoch. */
  time: integer,
});

/** What has happened. In JSON `timeNano` is a number, of more digits than one of JavaScript has. */
export interface EventMessage extends Infer<typeof message> {
  /** Nanoseconds since the epoch, in digits. */
  timeNano: string;
}

/** @returns undefined for a line that says nothing: it was cut short, or somebody else wrote it */
export function parseEvent(line: string): EventMessage | undefined {
  const timeNano = /"timeNano":([1-9]\d{0,18})\}$/.exec(line)?.[1];
  if (timeNano === undefined) return undefined;
  try {
    const { status, id, from, Type, Action, Actor, scope, time } = message(JSON.parse(line), "event");
    const early =
      status === undefined
        ? {}
        : { status, ...(id !== undefined && { id }), ...(from !== undefined && { from }) };
    return {
      ...early,
      Type,
      Action,
      Actor: { ID: Actor.ID, Attributes: Actor.Attributes },
      scope,
      time,
      timeNano,
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ShapeError) return undefined;
    throw error;
  }
}

/** One line, as the API and `--format json` have it. */
export function eventJson({ timeNano, ...rest }: EventMessage): string {
  return `${visibleJson(rest).slice(0, -1)},"timeNano":${timeNano}}`;
}

/** One line, for people. */
export function eventText({ Type, Action, Actor, timeNano }: EventMessage): string {
  const attributes = Object.entries(Actor.Attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
  const words = [formatNano(timeNano), Type, Action, Actor.ID, ...(attributes ? [`(${attributes})`] : [])];
  return visible(words.join(" "));
}

/** RFC 3339 with nine digits, in UTC. */
function formatNano(timeNano: string): string {
  const seconds = Number(BigInt(timeNano) / 1_000_000_000n);
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${timeNano.slice(-9).padStart(9, "0")}Z`;
}
