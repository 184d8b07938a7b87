import { invalid } from "../base/invalid.ts";

const sideMax = (1 << 16) - 1;

/** Docker's [height, width] of a terminal; [0, 0] says nothing. @throws RtError invalid-argument */
export function consoleSizeOf(
  sides: readonly number[] | undefined,
  what: string,
): { consoleSize?: { rows: number; columns: number } } {
  const [rows = 0, columns = 0, ...more] = sides ?? [];
  if (more.length > 0 || rows > sideMax || columns > sideMax)
    throw invalid(`invalid ${what}: want a height and a width of at most ${sideMax}`);
  return rows > 0 && columns > 0 ? { consoleSize: { rows, columns } } : {};
}
