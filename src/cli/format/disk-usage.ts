import { humanSize } from "../../base/human-size.ts";
import { type DiskUsage, type DiskUsageTotal, diskUsageTotals } from "../../docker/disk-usage.ts";
import { compareLines, imageLines } from "../../docker/image-summary.ts";
import { containerListing } from "./containers.ts";
import { imageListing } from "./images.ts";
import { type Listing, renderRows } from "./rows.ts";

const headings = {
  Active: "ACTIVE",
  Reclaimable: "RECLAIMABLE",
  Size: "SIZE",
  TotalCount: "TOTAL",
  Type: "TYPE",
};

export const diskUsageFormat = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

/** Docker's fields of `system df`. */
export function diskUsageListing(usage: DiskUsage): Listing {
  return { headings, rows: diskUsageTotals(usage).map(row) };
}

function row({ type, total, active, size, reclaimable }: DiskUsageTotal): Record<string, unknown> {
  const part = size > 0 ? ` (${Math.floor((reclaimable * 100) / size)}%)` : "";
  return {
    Active: String(active),
    Reclaimable: `${humanSize(reclaimable, 4)}${part}`,
    Size: humanSize(size, 4),
    TotalCount: String(total),
    Type: type,
  };
}

interface Details {
  Images: Listing;
  Containers: Listing;
  Volumes: Listing;
}

function detailsOf(usage: DiskUsage, now: number): Details {
  const images = usage.images.flatMap((image) => imageLines(image).map((line) => ({ ...image, ...line })));
  const plain = imageListing(usage.images, true, now);
  return {
    Images: {
      headings: plain.headings,
      // In the same order.
      rows: images.sort(compareLines).map(({ sharedSize, size, containers }, index) => ({
        ...plain.rows[index],
        SharedSize: humanSize(sharedSize, 4),
        UniqueSize: humanSize(Math.max(0, size - sharedSize), 4),
        Containers: String(containers),
      })),
    },
    Containers: containerSizes(usage, now),
    Volumes: {
      headings: { Links: "LINKS", Name: "VOLUME NAME", Size: "SIZE" },
      rows: usage.volumes.map(({ Name, UsageData }) => ({
        ...{ Links: String(UsageData.RefCount), Name, Size: humanSize(UsageData.Size, 4) },
      })),
    },
  };
}

function containerSizes({ containers }: DiskUsage, now: number): Listing {
  const { headings, rows } = containerListing(containers, true, now);
  const sized = rows.map((each, index) => {
    const writable = humanSize(containers[index]?.size?.writable ?? 0);
    return Object.defineProperty(each, "Size", { value: writable, enumerable: true });
  });
  return { headings, rows: sized };
}

const tables: readonly [title: string, part: keyof Details, format: string][] = [
  [
    "Images",
    "Images",
    "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
  ],
  [
    "Containers",
    "Containers",
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
  ],
  ["Local Volumes", "Volumes", "{{.Name}}\t{{.Links}}\t{{.Size}}"],
];

/** `system df -v`. */
export function diskUsageDetails(usage: DiskUsage, now: number): string {
  const details = detailsOf(usage, now);
  const parts = tables.map(
    ([title, part, format]) => `${title} space usage:\n\n${renderRows(`table ${format}`, details[part])}\n`,
  );
  return `${parts.join("")}Build cache usage: 0B\n`;
}

/** The same for a template: `.Images`, `.Containers`, `.Volumes`. */
export function diskUsageFields(usage: DiskUsage, now: number): Record<string, unknown> {
  const { Images, Containers, Volumes } = detailsOf(usage, now);
  return { Images: Images.rows, Containers: Containers.rows, Volumes: Volumes.rows, BuildCache: [] };
}
