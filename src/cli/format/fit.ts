import { ellipsis } from "./human.ts";

/** A column that may be made narrower on a small terminal: those named first first, none below its least. */
export interface Give {
  column: number;
  least: number;
}

/**
 * Rows of cells, parted by tabs, for a terminal: where they are wider than `columns`, what is needed least of them is cut, and
 * at last the whole line.
 */
export function fitRows(lines: readonly string[], columns: number, gives: readonly Give[]): string[] {
  const rows = lines.map((line) => line.split("\t"));
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => length(row[column] ?? ""))),
  );
  // As tabwriter has them: ten at least, and three between.
  const last = widths.length - 1;
  const total = () =>
    widths.reduce((sum, width, at) => sum + (at === last ? width : Math.max(10, width + 3)), 0);
  for (const { column, least } of gives) {
    const over = total() - columns;
    if (over <= 0) break;
    widths[column] = Math.max(least, widths[column]! - over);
  }
  return rows.map((row) => row.map((cell, column) => ellipsis(cell, widths[column]!)).join("\t"));
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
