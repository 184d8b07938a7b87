import { humanSize } from "../../base/human-size.ts";
import { compareLines, type ImageLine, type ImageSummary, imageLines } from "../../docker/image-summary.ts";
import { humanDuration } from "../../docker/time.ts";
import { goTime } from "./human.ts";
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

export function imagesFormat(digests: boolean): string {
  const digest = digests ? "{{.Digest}}\t" : "";
  return `table {{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
}

/** Docker's fields of `images`. `now` in ms since the epoch. */
export function imageListing(images: readonly ImageSummary[], truncate: boolean, now: number): Listing {
  const lines = images.flatMap((image) => imageLines(image).map((line) => ({ ...image, ...line })));
  return { headings, rows: lines.sort(compareLines).map((line) => row(line, truncate, now)) };
}

function row(image: ImageSummary & ImageLine, truncate: boolean, now: number): Record<string, unknown> {
  const known = image.created !== "" && !Number.isNaN(Date.parse(image.created));
  return {
    Containers: String(image.containers),
    CreatedAt: known ? goTime(image.created) : "N/A",
    CreatedSince: known ? `${humanDuration(now - Date.parse(image.created))} ago` : "N/A",
    Digest: image.digest,
    ID: truncate ? image.id.slice("sha256:".length, "sha256:".length + 12) : image.id,
    Repository: image.repository,
    SharedSize: "N/A",
    Size: image.damaged ? "(damaged)" : humanSize(image.size),
    Tag: image.tag,
    UniqueSize: "N/A",
    VirtualSize: humanSize(image.size, 4),
  };
}
