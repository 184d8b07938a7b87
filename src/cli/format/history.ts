import { humanSize } from "../../base/human-size.ts";
import type { ImageHistoryItem } from "../../docker/image-history.ts";
import { formatSeconds, humanDuration } from "../../docker/time.ts";
import { ellipsis } from "./human.ts";
import type { Listing } from "./rows.ts";

const headings = {
  Comment: "COMMENT",
  CreatedAt: "CREATED AT",
  CreatedBy: "CREATED BY",
  CreatedSince: "CREATED",
  ID: "IMAGE",
  Size: "SIZE",
};

export function historyFormat(human: boolean): string {
  const created = human ? "{{.CreatedSince}}" : "{{.CreatedAt}}";
  return `table {{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`;
}

interface Shown {
  /** Sizes and times as people say them. */
  human: boolean;
  truncate: boolean;
  /** In ms since the epoch. */
  now: number;
}

/** Docker's fields of `history`. */
export function historyListing(items: readonly ImageHistoryItem[], shown: Shown): Listing {
  return { headings, rows: items.map((item) => row(item, shown)) };
}

/** What a command of a Dockerfile is shown of. */
const commandColumns = 45;

function row(item: ImageHistoryItem, { human, truncate, now }: Shown): Record<string, unknown> {
  const { Id, Created, Size, Comment } = item;
  const CreatedAt = formatSeconds(Created) || "N/A";
  const since = Created > 0 ? `${humanDuration(now - Created * 1000)} ago` : "N/A";
  const command = item.CreatedBy.replaceAll("\t", " ");
  return {
    Comment,
    CreatedAt,
    CreatedBy: truncate ? ellipsis(command, commandColumns) : command,
    CreatedSince: human ? since : CreatedAt,
    ID: truncate ? Id.replace(/^sha256:/, "").slice(0, 12) : Id,
    Size: human ? humanSize(Size) : String(Size),
  };
}
