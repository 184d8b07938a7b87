/** The table, as Markdown, so that it can stand in the README; and whether anything went wrong. */
import { percentile, type Row, type Sample } from "./measure.ts";

export interface Report {
  /** Machine, load before and after, versions, date. */
  head: string;
  rows: Row[];
}

export function printReport({ head, rows }: Report): void {
  console.log(head);
  for (const row of rows) {
    console.log(`\n${row.name}: ${row.title}\n`);
    console.log(aligned(tableOf(row)));
    for (const note of row.notes) console.log(`  ${note}`);
    for (const sample of row.samples) {
      for (const failure of sample.failures) console.log(`  FAILED ${sample.engine}: ${failure}`);
    }
  }
}

export function failures(rows: Row[], engine: string): number {
  const samples = rows.flatMap((row) => row.samples);
  return samples.filter((sample) => sample.engine === engine && sample.failures.length > 0).length;
}

function tableOf(row: Row): string[][] {
  const own = row.samples.find((sample) => sample.engine === "rt");
  const head = ["engine", "runs", `p50 ${row.unit}`, `p90 ${row.unit}`, "rt / it", "wanted"];
  return [head, ...row.samples.map((sample) => cells(row, sample, own))];
}

function cells(row: Row, sample: Sample, own: Sample | undefined): string[] {
  if (sample.failures.length > 0) return [sample.engine, "failed", "", "", "", ""];
  const p50 = median(sample);
  const figures = [String(sample.values.length), figure(p50), figure(percentile(sample.values, 0.9))];
  if (sample === own) return [sample.engine, ...figures, "", verdict(p50, row.limit)];
  const ratio = own && own.failures.length === 0 && p50 > 0 ? median(own) / p50 : undefined;
  const shown = ratio === undefined ? "" : rounded(ratio);
  return [sample.engine, ...figures, shown, verdict(ratio, row.targets[sample.engine])];
}

function verdict(value: number | undefined, limit: number | undefined): string {
  if (limit === undefined) return "";
  const word = value === undefined ? "" : value <= limit ? " ok" : " MISSED";
  return `<= ${rounded(limit)}${word}`;
}

function median(sample: Sample): number {
  return percentile(sample.values, 0.5);
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

function rounded(ratio: number): string {
  return ratio >= 100 ? ratio.toFixed(0) : String(Number(ratio.toPrecision(3)));
}

/** Numbers to the right, as people compare them. */
function aligned(table: string[][]): string {
  const widths = table[0]!.map((_, at) => Math.max(...table.map((line) => line[at]!.length)));
  const isText = (at: number) => at === 0 || at === widths.length - 1;
  const pad = (cell: string, at: number) =>
    isText(at) ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!);
  const rule = widths.map((width, at) => (isText(at) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  const [head, ...body] = table.map((line) => line.map(pad));
  return [head!, rule, ...body].map((line) => `| ${line.join(" | ")} |`).join("\n");
}
