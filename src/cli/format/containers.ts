import type { ContainerSummary } from "../../engine/container/list.ts";
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

/** What the record alone has is asked of it only by who shows it: to decode a thousand of them takes a while. */
function row(summary: ContainerSummary, truncate: boolean, now: number): Record<string, unknown> {
  const { container, state, size } = summary;
  const mounts = () => summary.record?.mounts ?? [];
  const labels = () => summary.record?.labels ?? {};
  return {
    Command: goQuote(truncate ? ellipsis(container.command, 20) : container.command),
    get CreatedAt() {
      return goTime(container.created);
    },
    ID: truncate ? container.id.slice(0, 12) : container.id,
    Image: container.reference,
    get Labels() {
      const sorted = Object.entries(labels()).sort(([a], [b]) => (a < b ? -1 : 1));
      return sorted.map(([key, value]) => `${key}=${value}`).join(",");
    },
    Label: (key: string) => (Object.hasOwn(labels(), key) ? labels()[key] : ""),
    get LocalVolumes() {
      return String(mounts().filter((mount) => mount.type === "volume").length);
    },
    get Mounts() {
      const named = mounts().map((mount) => mount.name ?? (mount.source || mount.destination));
      return named.map((name) => (truncate ? ellipsis(name, 15) : name)).join(",");
    },
    Names: container.name,
    get Networks() {
      return summary.record?.networkMode ?? "";
    },
    get Platform() {
      return summary.record?.platform ?? "";
    },
    Ports: "",
    RunningFor: ago(container.created, now) || "N/A",
    Size: size === undefined ? "0B" : `${humanSize(size.writable)} (virtual ${humanSize(size.virtual)})`,
    State: state.status,
    Status: `${statusText(state, now)}${container.damage ? " (damaged)" : ""}`,
  };
}

function statusText(state: ContainerSummary["state"], now: number): string {
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${since(state.startedAt, now)}`.trimEnd();
    case "exited":
      return `Exited (${state.exitCode}) ${ago(state.finishedAt, now)}`.trimEnd();
  }
}

function ago(timestamp: string, now: number): string {
  const duration = since(timestamp, now);
  return duration && `${duration} ago`;
}

/** "" when nobody knows when it was. */
function since(timestamp: string, now: number): string {
  const time = Date.parse(timestamp);
  return Number.isNaN(time) || timestamp.startsWith("0001-") ? "" : humanDuration(now - time);
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
