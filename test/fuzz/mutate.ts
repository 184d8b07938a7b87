import { RtError } from "../../src/base/errors.ts";

/** A small seeded generator (mulberry32): the same seed gives the same run, so a failure can be met again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One to four edits: a flipped, dropped, doubled or foreign piece. `pieces` are what means something to the parser. */
export function mutate(text: string, pieces: readonly string[], random: () => number): string {
  const int = (below: number) => Math.floor(random() * below);
  let result = text;
  for (let edits = 1 + int(4); edits > 0; edits--) {
    const at = int(result.length + 1);
    const end = Math.min(result.length, at + int(8));
    const [before, cut, after] = [result.slice(0, at), result.slice(at, end), result.slice(end)];
    switch (int(6)) {
      case 0:
        result = before + after;
        break;
      case 1:
        result = before + cut + cut.repeat(int(20)) + after;
        break;
      case 2:
        result = before + String.fromCharCode(int(256)) + after;
        break;
      case 3:
        result = before + (pieces[int(pieces.length)] ?? "") + after;
        break;
      case 4:
        result = before + (pieces[int(pieces.length)] ?? "") + cut + after;
        break;
      default:
        result = before + String.fromCodePoint(int(0xd800)) + after;
    }
  }
  return result;
}

/** Runs `parse`, which may refuse only in an RtError of one line. Answers what it read, or undefined. */
export function onlyRtError<T>(input: string, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RtError && error.code !== "internal" && isOneLine(error.message)) return undefined;
    throw new Error(`input ${JSON.stringify(input)} threw ${error}`, { cause: error });
  }
}

/** Nothing in it that a terminal would act upon. */
function isOneLine(message: string): boolean {
  return [...message].every(
    (character) => character >= " " && !(character >= "\u007f" && character <= "\u009f"),
  );
}
