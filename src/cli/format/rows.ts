import { visibleJson } from "../../base/visible.ts";
import { Template } from "./template.ts";

/** A listing: what each row can show, by Docker's field names, and the headings of a table. */
export interface Listing {
  rows: Record<string, unknown>[];
  headings: Record<string, unknown>;
}

/** Lays out the rows of a table, their cells parted by tabs. */
export type Layout = (lines: readonly string[]) => string;

/**
 * `--format`: "json" (one object per line), "table TEMPLATE" (with headings, columns aligned) or a bare template, one
 * line per row.
 * @throws RtError invalid-argument, exit 1
 */
export function renderRows(format: string, listing: Listing, layout: Layout = alignColumns): string {
  if (format === "json") return listing.rows.map((row) => `${visibleJson(row)}\n`).join("");
  const table = /^table(\s+|$)/.exec(format);
  const template = new Template(table ? format.slice(table[0].length) : format);
  if (!table) return listing.rows.map((row) => `${template.render(row)}\n`).join("");
  const heading = template.render(listing.headings, { heading: true });
  const lines = [heading, ...listing.rows.map((row) => template.render(row))];
  return layout(lines);
}

/** Go's tabwriter as Docker sets it: cells at least `narrowest` wide, 3 spaces between, the last one as it comes. */
export function alignColumns(lines: readonly string[], narrowest = 10): string {
  const rows = lines.map((line) => line.split("\t"));
  const widths: number[] = [];
  for (const row of rows) {
    for (let column = 0; column < row.length - 1; column++)
      widths[column] = Math.max(widths[column] ?? narrowest, characters(row[column]!) + 3);
  }
  let text = "";
  for (const row of rows) {
    const last = row.length - 1;
    for (let column = 0; column < last; column++) {
      const cell = row[column]!;
      text += cell + " ".repeat(widths[column]! - characters(cell));
    }
    text += `${row[last]}\n`;
  }
  return text;
}

/** Nearly all cells are of characters that JavaScript counts as one. */
function characters(cell: string): number {
  return /[\ud800-\udbff]/.test(cell) ? [...cell].length : cell.length;
}
