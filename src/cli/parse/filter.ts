import { RtError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { invalid, quote } from "./invalid.ts";

/** Conditions of a listing: values of one key are alternatives, different keys must all hold. */
export type Filters = Partial<Record<string, string[]>>;

/**
 * `--filter key=value`, several. @throws RtError invalid-argument for a key that is not `known`, unsupported for one that
 * Docker has and rt will have `later`
 */
export function parseFilters(
  texts: readonly string[],
  known: readonly string[],
  later: readonly string[],
): Filters {
  const filters: Filters = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 0) throw invalid(`invalid --filter ${quote(text)}: want KEY=VALUE`);
    const key = text.slice(0, at).trim().toLowerCase();
    if (later.includes(key)) {
      throw new RtError("unsupported", `--filter ${key} is not there yet: it comes in a later version`);
    }
    if (!known.includes(key)) {
      const wanted = nearest(key, known) ?? known.join(", ");
      throw invalid(
        `invalid --filter ${quote(text)}: no filter is called ${quote(key)}: did you mean ${wanted}?`,
      );
    }
    filters[key] = [...(filters[key] ?? []), text.slice(at + 1).trim()];
  }
  return filters;
}
