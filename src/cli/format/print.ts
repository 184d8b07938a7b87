import { visible } from "../../base/visible.ts";

/**
 * Text to be written as it is: the template's own words, and what was made visible already. A plain string is somebody
 * else's, and `printed` escapes what a terminal would act upon.
 */
export class OwnText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }
  toString(): string {
    return this.#text;
  }
  toJSON(): string {
    return this.#text;
  }
}

/** The value as functions reckon with it: whose text it is does not matter there. */
export function plain(value: unknown): unknown {
  return value instanceof OwnText ? String(value) : value;
}

/** A value as Go's fmt prints it in a template. */
export function printed(value: unknown): string {
  if (value === null || value === undefined) return "<no value>";
  if (value instanceof OwnText) return String(value);
  if (Array.isArray(value)) return `[${value.map(printed).join(" ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, item]) => `${visible(key)}:${printed(item)}`).join(" ")}]`;
  }
  return visible(String(value));
}

/** Go's truth: false, 0, "", nothing, and what has no elements. */
export function isEmpty(given: unknown): boolean {
  const value = plain(given);
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return !value;
}
