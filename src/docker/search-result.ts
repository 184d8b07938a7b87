import type { Filters } from "./filters.ts";
import { isTrue } from "./filters.ts";

/** One repository of GET /images/search. */
export interface SearchResult {
  star_count: number;
  is_official: boolean;
  name: string;
  is_automated: boolean;
  description: string;
}

/** Which are asked for. Docker Hub builds nothing by itself any more, so that `is-automated=true` is none at all. */
export function isWanted(result: SearchResult, filters: Filters): boolean {
  const { stars = [], "is-official": official = [], "is-automated": automated = [] } = filters;
  const enough = stars.every((least) => result.star_count >= Number(least));
  return enough && official.every((value) => isTrue(value) === result.is_official) && !automated.some(isTrue);
}
