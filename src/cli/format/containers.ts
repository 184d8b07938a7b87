import type { ContainerSummary } from "../../engine/ps.ts";
import { ellipsis, goTime, humanDuration, humanSize } from "./human.ts";
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

export function defaultFormat(size: boolean): string {
  const columns =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
  return size ? `${columns}\t{{.Size}}` : columns;
}

/** Docker's fields of `ps`. `now` in ms since the epoch. */
export function containerListing(list: readonly ContainerSummary[], truncate: boolean, now: number): Listing {
  return { headings, rows: list.map((summary) => row(summary, truncate, now)) };
}

function row(
  { record, state, size }: ContainerSummary,
  truncate: boolean,
  now: number,
): Record<string, unknown> {
  const command = record.args.join(" ");
  const named = record.mounts.map((mount) => mount.name ?? (mount.source || mount.destination));
  const labels = Object.entries(record.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    Command: goQuote(truncate ? ellipsis(command, 20) : command),
    CreatedAt: goTime(record.created),
    ID: truncate ? record.id.slice(0, 12) : record.id,
    Image: record.image.reference,
    Labels: labels.map(([key, value]) => `${key}=${value}`).join(","),
    Label: (key: string) => (Object.hasOwn(record.labels, key) ? record.labels[key] : ""),
    LocalVolumes: String(record.mounts.filter((mount) => mount.type === "volume").length),
    Mounts: named.map((name) => (truncate ? ellipsis(name, 15) : name)).join(","),
    Names: record.name,
    Networks: record.networkMode,
    Platform: record.platform,
    Ports: "",
    RunningFor: `${humanDuration(now - Date.parse(record.created))} ago`,
    Size: size === undefined ? "0B" : `${humanSize(size.writable)} (virtual ${humanSize(size.virtual)})`,
    State: state.status,
    Status: statusText(state, now),
  };
}

function statusText(state: ContainerSummary["state"], now: number): string {
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${humanDuration(now - Date.parse(state.startedAt))}`;
    case "exited":
      return `Exited (${state.exitCode}) ${humanDuration(now - Date.parse(state.finishedAt))} ago`;
  }
}

/** Go's strconv.Quote: what does not print is escaped, so that a command cannot write to the terminal. */
function goQuote(text: string): string {
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
