import { ellipsis } from "./human.ts";
import { alignColumns } from "./rows.ts";

/** A column that may be made narrower on a small terminal: those named first first, none below its least. */
export interface Give {
  column: number;
  least: number;
}

/** What parts two columns, and how wide a column is at least where there is room, as Docker has them. */
const gap = 3;
const usualLeast = 10;

/**
 * A table of rows whose cells are parted by tabs, the headings first, on a terminal: where it is wider than `columns`, a
 * column without anything in it goes, then what is needed least is cut, and at last the whole line.
 */
export function fitTable(lines: readonly string[], columns: number, gives: readonly Give[]): string {
  const all = lines.map((line) => line.split("\t"));
  if (tableWidth(widthsOf(all), usualLeast) <= columns) return alignColumns(lines);
  const isKept = (_: unknown, at: number) => all.length === 1 || all.slice(1).some((row) => row[at] !== "");
  const kept = all[0]!.map((_, at) => at).filter((at) => isKept(undefined, at));
  const rows = all.map((row) => row.filter(isKept));
  const widths = widthsOf(rows);
  for (const { column, least } of gives) {
    const over = tableWidth(widths, 0) - columns;
    if (over <= 0) break;
    const at = kept.indexOf(column);
    if (at >= 0) widths[at] = Math.min(widths[at]!, Math.max(least, widths[at]! - over));
  }
  const cut = rows.map((row) => row.map((cell, at) => ellipsis(cell, widths[at]!)).join("\t"));
  return cutLines(alignColumns(cut, 0), columns);
}

function widthsOf(rows: readonly string[][]): number[] {
  return rows[0]!.map((_, at) => Math.max(...rows.map((row) => length(row[at] ?? ""))));
}

function tableWidth(widths: readonly number[], least: number): number {
  const last = widths.length - 1;
  return widths.reduce((sum, width, at) => sum + (at === last ? width : Math.max(least, width + gap)), 0);
}

function length(text: string): number {
  return [...text].length;
}

/** Lines of a table, none wider than the terminal. */
export function cutLines(text: string, columns: number): string {
  return text
    .split("\n")
    .map((line) => ellipsis(line.trimEnd(), columns))
    .join("\n");
}
