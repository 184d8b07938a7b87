import { humanSize } from "../../base/human-size.ts";
import { listPorts } from "../../docker/container-ports.ts";
import { ago, type ContainerSummary } from "../../docker/container-summary.ts";
import type { Give } from "./fit.ts";
import { ellipsis, goTime } from "./human.ts";
import type { Listing } from "./rows.ts";

const headings = {
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  ID: "CONTAINER ID",
  Label: (key: string) => key,
  Image: "IMAGE",
  Labels: "LABELS",
  LocalVolumes: "LOCAL VOLUMES",
  Mounts: "MOUNTS",
  Names: "NAMES",
  Networks: "NETWORKS",
  Platform: "PLATFORM",
  Ports: "PORTS",
  RunningFor: "CREATED",
  Size: "SIZE",
  State: "STATE",
  Status: "STATUS",
};

export function containersFormat(size: boolean): string {
  const columns =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
  return size ? `${columns}\t{{.Size}}` : columns;
}

/** Of `containersFormat`, what is needed least first. */
export const containersGive: readonly Give[] = [
  { column: 2, least: 7 }, // the command
  { column: 1, least: 15 }, // the image
  { column: 3, least: 7 }, // when it was created
  { column: 6, least: 24 }, // its name, where that is long
  { column: 4, least: 10 }, // what it does
  { column: 5, least: 7 }, // its ports
  { column: 1, least: 7 },
  { column: 6, least: 12 },
  { column: 7, least: 8 }, // its size: of both the first
  { column: 0, least: 7 },
];

/** Docker's fields of `ps`. `now` in ms since the epoch. */
export function containerListing(list: readonly ContainerSummary[], truncate: boolean, now: number): Listing {
  return { headings, rows: list.map((summary) => row(summary, truncate, now)) };
}

/** Does this format show what only the details have? One that shows the whole of a row does. */
export function showsDetails(format: string): boolean {
  return (
    format === "json" ||
    /Label|Mounts|LocalVolumes|Networks|Platform/.test(format) ||
    /\$|\.(?![\p{L}_])/u.test(format)
  );
}

/** Does it show sizes, which take a while? As with docker the word `json` alone does not ask for them. */
export function showsSizes(format: string): boolean {
  return format !== "json" && (/\.Size\b/.test(format) || /\$|\.(?![\p{L}_])/u.test(format));
}

function row(summary: ContainerSummary, truncate: boolean, now: number): Record<string, unknown> {
  const { command, created, details, id, size } = summary;
  const { labels = {}, mounts = [] } = details ?? {};
  const mountNames = mounts.map((mount) => mount.name ?? (mount.source || mount.destination));
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    Command: goQuote(truncate ? ellipsis(command, 20) : command),
    get CreatedAt() {
      return goTime(created);
    },
    ID: truncate ? id.slice(0, 12) : id,
    Image:
      truncate && summary.image === summary.imageId
        ? summary.imageId.replace("sha256:", "").slice(0, 12)
        : summary.image,
    Labels: sorted.map(([key, value]) => `${key}=${value}`).join(","),
    Label: (key: string) => (Object.hasOwn(labels, key) ? labels[key] : ""),
    LocalVolumes: String(mounts.filter((mount) => mount.type === "volume").length),
    Mounts: mountNames.map((name) => (truncate ? ellipsis(name, 15) : name)).join(","),
    Names: summary.name,
    Networks: (details?.networks ?? []).join(","),
    Platform: details?.platform ?? "",
    get Ports() {
      return listPorts(summary.ports);
    },
    RunningFor: ago(created, now) || "N/A",
    Size: size === undefined ? "0B" : `${humanSize(size.writable)} (virtual ${humanSize(size.virtual)})`,
    State: summary.state,
    Status: summary.status,
  };
}

/** Go's strconv.Quote: what does not print is escaped, so that a command cannot write to the terminal. */
function goQuote(text: string): string {
  // Nearly always, and a list may have a thousand.
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
  const escaped = text.replace(/[\\"\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (character) => {
    const short = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0)!;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, "0")}`
      : `\\U${code.toString(16).padStart(8, "0")}`;
  });
  return `"${escaped}"`;
}
