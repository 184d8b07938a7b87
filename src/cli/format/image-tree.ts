import { humanSize } from "../../base/human-size.ts";
import { visible } from "../../base/visible.ts";
import {
  compareLines,
  type ImageManifest,
  type ImageSummary,
  imageLines,
  none,
} from "../../docker/image-summary.ts";
import type { Output } from "../output/output.ts";
import { ellipsis } from "./human.ts";

/** A line of the tree: its cells, and how they are drawn on a terminal. */
interface Line {
  name: string;
  style: "name" | "plain" | "faint";
  /** None of a further name. */
  cells?: Cells;
}

interface Cells {
  id: string;
  diskUsage: number;
  contentSize: number;
  isUsed: boolean;
}

const gap = "   ";
const columns = [
  { title: "ID", width: 12 },
  { title: "DISK USAGE", width: 10 },
  { title: "CONTENT SIZE", width: 12 },
  { title: "USED", width: 4 },
] as const;
/** With less room for names a column goes, the last first. */
const nameLeast = 12;

/** `images --tree`: each image with the platforms that its names stand for. Bytes of all its files, and of its blobs. */
export function imageTree(
  images: readonly ImageSummary[],
  output: Pick<Output, "isTerminal" | "columns">,
): string {
  const blocks = sorted(images).map(linesOf);
  const names = blocks.flat().map(({ name }) => [...name].length);
  let room = Math.max(20, output.columns);
  const shown: (typeof columns)[number][] = [];
  for (const column of columns) {
    if (room - column.width - gap.length < nameLeast) break;
    room -= column.width + gap.length;
    shown.push(column);
  }
  const width = Math.min(room, Math.max("IMAGE".length, ...names));
  const paint = output.isTerminal ? painted : (text: string) => text;
  const heading = ["IMAGE".padEnd(width), ...shown.map(({ title, width }, at) => align(title, width, at))];
  const draw = ({ name, style, cells }: Line) => {
    const text = ellipsis(name, width);
    const texts = cells ? cellTexts(cells).slice(0, shown.length) : [];
    const rest = texts.map((cell, at) => gap + align(cell, columns[at]!.width, at)).join("");
    return paint(text, style) + (" ".repeat(width - [...text].length) + rest).trimEnd();
  };
  const body = blocks.map((lines) => lines.map((line) => `${draw(line)}\n`).join(""));
  return `${paint(heading.join(gap), "heading")}\n${body.join("\n")}`;
}

function sorted(images: readonly ImageSummary[]): ImageSummary[] {
  const keyed = images.map((image) => ({ ...image, ...imageLines(image)[0]! }));
  return keyed.sort(compareLines);
}

function linesOf({ id, tags, manifests = [] }: ImageSummary): Line[] {
  const total = (of: (each: ImageManifest) => number) => manifests.reduce((sum, each) => sum + of(each), 0);
  const isUsed = manifests.some(({ containers }) => containers.length > 0);
  const cells = { id, isUsed, diskUsage: total(({ totalSize }) => totalSize) };
  const names = tags.length > 0 ? tags.map(({ name }) => visible(name)) : [none];
  const own = names.map((name): Line => ({ name, style: "name" }));
  own[own.length - 1]!.cells = { ...cells, contentSize: total(({ contentSize }) => contentSize) };
  return [...own, ...manifests.map((manifest, at) => childLine(manifest, at === manifests.length - 1))];
}

function childLine({ id, platform, available, ...sizes }: ImageManifest, isLast: boolean): Line {
  const { totalSize: diskUsage, contentSize, containers } = sizes;
  return {
    name: `${isLast ? "└─" : "├─"} ${visible(platform)}`,
    style: available ? "plain" : "faint",
    cells: { id, diskUsage, contentSize, isUsed: containers.length > 0 },
  };
}

function cellTexts({ id, diskUsage, contentSize, isUsed }: Cells): string[] {
  const short = id.replace(/^sha256:/, "").slice(0, 12);
  return [short, humanSize(diskUsage), humanSize(contentSize), isUsed ? "✔" : ""];
}

/** Sizes to the right, the mark in the middle. */
function align(text: string, width: number, column: number): string {
  if (column === 0) return text.padEnd(width);
  return column === columns.length - 1
    ? text.padStart(Math.floor((width + text.length) / 2))
    : text.padStart(width);
}

const styles = { heading: "1", name: "1;4;34", plain: "0", faint: "2" } as const;

function painted(text: string, style: keyof typeof styles): string {
  return style === "plain" ? text : `\u001b[${styles[style]}m${text}\u001b[0m`;
}
