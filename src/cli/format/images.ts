import type { ImageListItem } from "../../engine/image/list.ts";
import { goTime, humanDuration, humanSize } from "./human.ts";
import type { Listing } from "./rows.ts";

const headings = {
  Containers: "CONTAINERS",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  SharedSize: "SHARED SIZE",
  Size: "SIZE",
  Tag: "TAG",
  UniqueSize: "UNIQUE SIZE",
  VirtualSize: "SIZE",
};

export function defaultFormat(digests: boolean): string {
  const digest = digests ? "{{.Digest}}\t" : "";
  return `table {{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
}

/** Docker's fields of `images`. `now` in ms since the epoch. */
export function imageListing(images: readonly ImageListItem[], truncate: boolean, now: number): Listing {
  return { headings, rows: images.map((image) => row(image, truncate, now)) };
}

function row(image: ImageListItem, truncate: boolean, now: number): Record<string, unknown> {
  const known = image.created !== "" && !Number.isNaN(Date.parse(image.created));
  return {
    Containers: "N/A",
    CreatedAt: known ? goTime(image.created) : "N/A",
    CreatedSince: known ? `${humanDuration(now - Date.parse(image.created))} ago` : "N/A",
    Digest: image.digest,
    ID: truncate ? image.id.slice("sha256:".length, "sha256:".length + 12) : image.id,
    Repository: image.repository,
    SharedSize: "N/A",
    Size: image.damaged ? "(damaged)" : humanSize(image.size),
    Tag: image.tag,
    UniqueSize: "N/A",
    VirtualSize: humanSize(image.size),
  };
}
