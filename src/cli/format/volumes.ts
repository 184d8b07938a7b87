import type { VolumeDocument } from "../../docker/volume.ts";
import type { Listing } from "./rows.ts";

const headings = {
  Availability: "AVAILABILITY",
  Driver: "DRIVER",
  Group: "GROUP",
  Label: (key: string) => key,
  Labels: "LABELS",
  Links: "LINKS",
  Mountpoint: "MOUNTPOINT",
  Name: "VOLUME NAME",
  Scope: "SCOPE",
  Size: "SIZE",
  Status: "STATUS",
};

export const volumesFormat = "table {{.Driver}}\t{{.Name}}";

/** Docker's fields of `volume ls`. Sizes and links are `system df`'s to say, the rest a swarm's. */
export function volumeListing(list: readonly VolumeDocument[]): Listing {
  return { headings, rows: list.map(row) };
}

function row({ Driver, Labels, Mountpoint, Name, Scope }: VolumeDocument): Record<string, unknown> {
  const labels = Labels ?? {};
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...{ Availability: "N/A", Driver, Group: "N/A" },
    Label: (key: string) => (Object.hasOwn(labels, key) ? labels[key] : ""),
    Labels: sorted.map(([key, value]) => `${key}=${value}`).join(","),
    ...{ Links: "N/A", Mountpoint, Name, Scope, Size: "N/A", Status: "N/A" },
  };
}
