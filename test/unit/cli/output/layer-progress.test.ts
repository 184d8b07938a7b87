import { expect, test } from "bun:test";
import { Bars, Lines, line, pullWordings, pushWordings } from "../../../../src/cli/output/layer-progress.ts";
import type { LayerProgress } from "../../../../src/engine/image/pull.ts";
import type { PushProgress } from "../../../../src/engine/image/push.ts";
import { digestOf } from "../../../../src/oci/digest.ts";
import { CapturedOutput } from "../capture.ts";

const layers = ["one", "two", "three"].map(digestOf);
const short = layers.map((digest) => digest.slice(7, 19));

function progress(index: number, status: LayerProgress["status"], current = 0): LayerProgress {
  return { layer: layers[index]!, status, current, total: 45_600_000 };
}

/** What a terminal shows after `text`: enough of one for cursor up, erase line and erase below. */
function screen(text: string): string[] {
  const lines: string[] = [""];
  let row = 0;
  for (const [, move, code, plain = ""] of text.matchAll(/\p{Cc}\[(\d*)([A-Za-z])|([\s\S])/gu)) {
    if (code === "A") row -= Number(move);
    else if (code === "K") lines[row] = "";
    else if (code === "J") lines.splice(row, lines.length, "");
    else if (plain === "\n") {
      row++;
      lines[row] ??= "";
    } else if (plain !== "\r") lines[row] = (lines[row] ?? "") + plain;
  }
  return lines.slice(0, -1);
}

const drawn = (progress: LayerProgress, columns: number) => line(progress, pullWordings(progress), columns);

test("a bar fits the terminal, whatever its width", () => {
  const half = progress(0, "downloading", 22_800_000);
  expect(drawn(half, 120)).toBe(
    `${short[0]}: Downloading [${"=".repeat(25)}>${" ".repeat(24)}]   22.8MB/45.6MB`,
  );
  for (let columns = 1; columns < 200; columns++)
    expect(drawn(half, columns).length).toBeLessThan(columns || 1);
  expect(drawn({ ...half, current: 90_000_000 }, 80)).toContain("=>]");
  expect(drawn({ ...half, total: 0 }, 80)).toContain("=>]");
});

test("bars are redrawn in place and not too often", () => {
  const output = new CapturedOutput({ columns: 100, rows: 24 });
  let now = 0;
  const bars = new Bars(output, pullWordings, () => now);
  for (const index of [0, 1, 2]) bars.layer(progress(index, "waiting"));
  now += 1000;
  bars.layer(progress(1, "done"));
  expect(screen(output.text)).toEqual([
    `${short[0]}: Waiting`,
    `${short[1]}: Pull complete`,
    `${short[2]}: Waiting`,
  ]);
  const before = output.text;
  bars.layer(progress(0, "downloading", 1));
  expect(output.text).toBe(before);
  now += 1000;
  bars.layer(progress(0, "done"));
  bars.layer(progress(2, "exists"));
  bars.end();
  expect(screen(output.text)).toEqual([
    `${short[0]}: Pull complete`,
    `${short[1]}: Pull complete`,
    `${short[2]}: Already exists`,
  ]);
  expect(output.text).not.toContain("?25l");
});

test("more layers than the terminal has lines", () => {
  const output = new CapturedOutput({ columns: 100, rows: 4 });
  let now = 0;
  const bars = new Bars(output, pullWordings, () => (now += 1000));
  for (const index of [0, 1, 2]) bars.layer(progress(index, "waiting"));
  expect(screen(output.text)).toEqual([`${short[0]}: Waiting`, `${short[1]}: Waiting`]);
  for (const index of [0, 1, 2]) bars.layer(progress(index, "done"));
  bars.end();
  expect(screen(output.text).map((text) => text.slice(14))).toEqual(Array(3).fill("Pull complete"));
});

test("without a terminal, a line for each layer that is done", () => {
  const output = new CapturedOutput();
  const lines = new Lines(output, pullWordings);
  lines.layer(progress(0, "downloading", 5));
  lines.layer(progress(0, "done"));
  lines.layer(progress(1, "exists"));
  lines.end();
  expect(output.text).toBe(`${short[0]}: Pull complete\n${short[1]}: Already exists\n`);
});

test("what goes is told in docker's words, a line for each state that has no bar", () => {
  const output = new CapturedOutput();
  const lines = new Lines(output, pushWordings);
  const tell = (index: number, status: PushProgress["status"], from?: string) =>
    lines.layer({
      layer: layers[index]!,
      status,
      current: 5,
      total: 10,
      ...(from && { from }),
    } as PushProgress);
  for (const status of ["compressing", "compressed"] as const) tell(0, status);
  for (const index of [0, 1]) tell(index, "preparing");
  tell(2, "waiting");
  tell(0, "sending");
  tell(0, "sent");
  tell(1, "mounted", "registry.example:5000/team/base");
  tell(2, "exists");
  const told = [
    "Preparing",
    "Preparing",
    "Waiting",
    "Pushed",
    "Mounted from team/base",
    "Layer already exists",
  ];
  const order = [0, 1, 2, 0, 1, 2];
  expect(output.text).toBe(told.map((text, i) => `${short[order[i]!]}: ${text}\n`).join(""));
  const sending = { layer: layers[0]!, status: "sending", current: 5_000_000, total: 10_000_000 } as const;
  expect(line(sending, pushWordings(sending), 80)).toMatch(/^[0-9a-f]{12}: Pushing \[=+> +\] {4,}5MB\/10MB$/);
});

test("a layer that is made for where it goes has a bar, which a line of its own follows", () => {
  const output = new CapturedOutput({ columns: 100, rows: 24 });
  const bars = new Bars(output, pushWordings);
  const made = { layer: layers[0]!, total: 10_000_000 };
  bars.layer({ ...made, status: "compressing", current: 5_000_000 });
  expect(screen(output.text)[0]).toMatch(/^[0-9a-f]{12}: Compressing \[=+> +\] +5MB\/10MB$/);
  bars.layer({ ...made, status: "compressed", current: 10_000_000 });
  bars.layer({ layer: layers[1]!, status: "sent", current: 5_000_000, total: 5_000_000 });
  bars.end();
  expect(screen(output.text)).toEqual([`${short[0]}: Compressed`, `${short[1]}: Pushed`]);
});
