/** A value as Go's fmt prints it in a template. */
export function printed(value: unknown): string {
  if (value === null || value === undefined) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(printed).join(" ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, item]) => `${key}:${printed(item)}`).join(" ")}]`;
  }
  return String(value);
}

/** Go's truth: false, 0, "", nothing, and what has no elements. */
export function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return !value;
}
