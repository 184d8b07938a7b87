import { humanSize } from "../../base/human-size.ts";
import { figuresOf, type StatsDocument } from "../../docker/stats.ts";
import type { Give } from "./fit.ts";
import { binarySize } from "./human.ts";
import type { Listing } from "./rows.ts";

const headings = {
  BlockIO: "BLOCK I/O",
  CPUPerc: "CPU %",
  Container: "CONTAINER",
  ID: "CONTAINER ID",
  MemPerc: "MEM %",
  MemUsage: "MEM USAGE / LIMIT",
  Name: "NAME",
  NetIO: "NET I/O",
  PIDs: "PIDS",
};

export const statsFormat =
  "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

/** Of `statsFormat`, what is needed least first. */
export const statsGive: readonly Give[] = [
  { column: 1, least: 12 }, // the name
  { column: 0, least: 7 },
  { column: 3, least: 9 }, // its memory: of both the first
  { column: 5, least: 8 }, // so with the network
  { column: 6, least: 9 }, // and the disks
];

/** Docker's fields of `stats`. @param asked what the user called each, by id */
export function statsListing(
  documents: readonly StatsDocument[],
  truncate: boolean,
  asked: ReadonlyMap<string, string> = new Map(),
): Listing {
  return { headings, rows: documents.map((document) => row(document, truncate, asked)) };
}

function row(
  document: StatsDocument,
  truncate: boolean,
  asked: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const figures = figuresOf(document);
  const pair = (show: (bytes: number) => string, a: number, b: number) => `${show(a)} / ${show(b)}`;
  const id = truncate ? document.id.slice(0, 12) : document.id;
  return {
    BlockIO: pair(humanSize, figures.read_bytes, figures.written_bytes),
    CPUPerc: `${figures.cpuPercent.toFixed(2)}%`,
    Container: asked.get(document.id) ?? id,
    ID: id,
    MemPerc: `${figures.memoryPercent.toFixed(2)}%`,
    MemUsage: pair(binarySize, figures.memory_bytes, figures.memoryLimit_bytes),
    Name: document.name.replace(/^\//, ""),
    NetIO: pair(humanSize, figures.received_bytes, figures.sent_bytes),
    PIDs: String(figures.pids),
  };
}

const bars = "▁▂▃▄▅▆▇█";

/** The last values, each a bar: the highest is the greatest of them, or `full`. */
export function sparkline(values: readonly number[], full: number): string {
  const top = Math.max(full, ...values);
  return values.map((value) => bars[Math.min(7, Math.floor((value / top) * 8))] ?? bars[0]).join("");
}
