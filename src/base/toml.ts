import { readFileSync, statSync } from "node:fs";
import { isErrno, RtError, withCause } from "./errors.ts";
import { editDistance } from "./nearest.ts";
import { callerPath } from "./working-directory.ts";

/**
 * Configuration files in TOML, read with distrust: every message is one line that names the file and the key, or, where it
 * is no TOML, the line and the column.
 */
export type TomlTable = Record<string, unknown>;

const fileBytesMax = 1024 * 1024;

/**
 * What the file says, or undefined if there is none. Only for one that is there the parser is loaded.
 * @throws RtError when it cannot be read; invalid-argument: it is no TOML
 */
export async function readTomlFile(file: string): Promise<TomlTable | undefined> {
  const text = textOf(file);
  return text === undefined ? undefined : parseToml(text, file);
}

function textOf(file: string): string | undefined {
  try {
    const stat = statSync(callerPath(file, "its name"));
    if (!stat.isFile()) throw bad(file, "it is not a regular file");
    if (stat.size > fileBytesMax) throw bad(file, `it is larger than ${fileBytesMax} bytes`);
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    throw withCause(`cannot read config file ${file}`, error);
  }
}

async function parseToml(text: string, file: string): Promise<TomlTable> {
  const { parse, TomlError } = await import("smol-toml");
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The library's further lines draw the place.
    const why = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw bad(file, `line ${error.line}: ${why} at column ${error.column}`);
  }
}

export function tableIn(value: unknown, where: string, file: string): TomlTable {
  // A date is an object, too.
  const isTable =
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
  if (isTable) return value as TomlTable;
  throw bad(file, `${where} must be a table`);
}

export function stringArrayIn(value: unknown, where: string, file: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw bad(file, `${where} must be an array of strings`);
}

/** @param elsewhere keys of other tables of the file, and where those are: in TOML a key is easily in the wrong one */
export function checkKeys(
  table: TomlTable,
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
