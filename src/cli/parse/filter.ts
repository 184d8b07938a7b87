import { RtError } from "../../base/errors.ts";
import { invalid, quote } from "../../base/invalid.ts";
import type { FilterGrammar, Filters } from "../../docker/filters.ts";

/**
 * `--filter key=value`, several. @throws RtError invalid-argument for a key that the noun does not have, unsupported for one
 * that it will have
 */
export function parseFilterFlags(texts: readonly string[], { keys, later }: FilterGrammar): Filters {
  const filters: Record<string, string[]> = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 0) throw invalid(`invalid --filter ${quote(text)}: want KEY=VALUE`);
    const key = text.slice(0, at).trim().toLowerCase();
    if (later.includes(key)) {
      throw new RtError("unsupported", `--filter ${key} is not there yet: it comes in a later version`);
    }
    if (!keys.includes(key)) {
      const { nearest } = require("../../base/nearest.ts") as typeof import("../../base/nearest.ts");
      const plain = keys.filter((known) => !known.endsWith("!"));
      const wanted = nearest(key, plain) ?? plain.join(", ");
      throw invalid(
        `invalid --filter ${quote(text)}: no filter is called ${quote(key)}: did you mean ${wanted}?`,
      );
    }
    filters[key] = [...(filters[key] ?? []), text.slice(at + 1).trim()];
  }
  return filters;
}

/** Before anything else is looked at. @throws RtError invalid-argument: a value that is none of its key's */
export function checkValues(filters: Filters, { values }: FilterGrammar): void {
  for (const [key, { isGood, want }] of Object.entries(values)) {
    const bad = filters[key]?.find((value) => !isGood(value));
    if (bad !== undefined) throw invalid(`invalid --filter ${quote(`${key}=${bad}`)}: ${want}`);
  }
}
