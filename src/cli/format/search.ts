import type { SearchResult } from "../../docker/search-result.ts";
import { ellipsis } from "./human.ts";
import type { Listing } from "./rows.ts";

const headings = {
  Description: "DESCRIPTION",
  IsAutomated: "AUTOMATED",
  IsOfficial: "OFFICIAL",
  Name: "NAME",
  StarCount: "STARS",
};

export const searchFormat = "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";

/** Docker's fields of `search`. @param isJson there a truth is "true", and in a table "[OK]" */
export function searchListing(list: readonly SearchResult[], truncate: boolean, isJson: boolean): Listing {
  const truth = (value: boolean) => (isJson ? String(value) : value ? "[OK]" : "");
  const rows = list.map(({ description, is_automated, is_official, name, star_count }) => {
    const line = description.replace(/[\r\n]/g, " ");
    return {
      Description: truncate ? ellipsis(line, 45) : line,
      IsAutomated: truth(is_automated),
      IsOfficial: truth(is_official),
      Name: name,
      StarCount: String(star_count),
    };
  });
  return { headings, rows };
}
