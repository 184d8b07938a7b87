import { readFileSync, statSync } from "node:fs";
import { isErrno, RtError, while_ } from "./errors.ts";
import { editDistance } from "./nearest.ts";
import { callerPath } from "./working-directory.ts";

/**
 * Configuration files in TOML, read with distrust: every message is one line that names the file and the key, or, where it
 * is no TOML, the line.
 */

type Table = Record<string, unknown>;

const fileBytesMax = 1024 * 1024;

/** The file's text, or undefined if there is none. @throws RtError when it cannot be read */
export function readTomlFile(file: string): string | undefined {
  try {
    const stat = statSync(callerPath(file, "its name"));
    if (!stat.isFile()) throw bad(file, "it is not a regular file");
    if (stat.size > fileBytesMax) throw bad(file, `it is larger than ${fileBytesMax} bytes`);
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    throw while_(`cannot read config file ${file}`, error);
  }
}

/** `file` is only for messages. @throws invalid-argument */
export function parseToml(text: string, file: string): Table {
  try {
    return Bun.TOML.parse(text) as Table;
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0]! : String(error);
    throw bad(file, `line ${brokenLine(text)}: ${why.replace(/^TOML Parse error: /, "")}`);
  }
}

/**
 * Where the statement starts that is no TOML; Bun's parser does not say. What comes before it parses, and what includes its
 * end does not.
 */
function brokenLine(text: string): number {
  const lines = text.split("\n");
  let whole = Math.min(lines.length, 1000);
  while (whole > 0 && !parses(lines.slice(0, whole).join("\n"))) whole--;
  while (whole < lines.length - 1 && /^\s*(#|$)/.test(lines[whole]!)) whole++;
  return whole + 1;
}

function parses(text: string): boolean {
  try {
    Bun.TOML.parse(text);
    return true;
  } catch {
    return false; // why is told of the whole
  }
}

export function tableIn(value: unknown, where: string, file: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw bad(file, `${where} must be a table`);
}

export function stringsIn(value: unknown, where: string, file: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw bad(file, `${where} must be an array of strings`);
}

/** @param elsewhere keys of other tables of the file, and where those are: in TOML a key is easily in the wrong one */
export function checkKeys(
  table: Record<string, unknown>,
  known: readonly string[],
  prefix: string,
  file: string,
  elsewhere: ReadonlyMap<string, string> = new Map(),
): void {
  for (const key of Object.keys(table)) {
    if (known.includes(key)) continue;
    const place = elsewhere.get(key);
    const near = nearestKey(key, known);
    const hint = near === undefined ? `there are ${known.join(", ")}` : `did you mean ${prefix}${near}?`;
    const help = place === undefined ? hint : `it belongs ${place}`;
    throw bad(file, `unknown key ${JSON.stringify(prefix + key)}; ${help}`);
  }
}

/** The key at the smallest distance, unless more than half of the word is wrong: there are few, and one of them was meant. */
function nearestKey(word: string, known: readonly string[]): string | undefined {
  const start = word.slice(0, 64);
  const best = known.toSorted((a, b) => editDistance(start, a) - editDistance(start, b))[0]!;
  return editDistance(start, best) <= Math.ceil(start.length / 2) ? best : undefined;
}

export function bad(file: string, why: string): RtError {
  return new RtError("invalid-argument", `config file ${file}: ${why}`);
}
