import type { CallerEnvironment } from "../../base/environment.ts";
import { invalid, quote, rejectNul } from "../../base/invalid.ts";
import { readTextFile } from "../../base/text-file.ts";
import { checkVariable } from "../../settings/combine.ts";
import { cut } from "../../settings/labels.ts";

const fileSizeMax = 16 << 20;

/**
 * The caller's wishes for the environment: files first, then flags, the last of one name wins in the place of the first.
 * A bare KEY takes the value of `caller`; where that has none, a flag's bare KEY stays bare (it removes the image's), a
 * file's is dropped. @throws RtError invalid-argument | not-found
 */
export function requestedEnvironment(
  files: readonly string[],
  flags: readonly string[],
  caller: CallerEnvironment,
): string[] {
  const merged = new Map<string, string>();
  const add = (entry: string) => merged.set(cut(entry)[0], entry);
  for (const file of files) for (const entry of readKeyValueFile(file, "--env-file", caller)) add(entry);
  for (const flag of flags) add(parseEnv(flag, caller));
  return [...merged.values()];
}

function parseEnv(text: string, caller: CallerEnvironment): string {
  const [key, value] = cut(checkVariable(text, "environment variable"));
  if (value !== undefined) return text;
  const inherited = caller.get(key);
  return inherited === undefined ? key : checkVariable(`${key}=${inherited}`, "environment variable");
}

/**
 * Docker's file of `KEY=VALUE` lines: no quoting, no expansion, `#` starts a comment line, a bare KEY is taken from
 * `caller` (and dropped when `caller` is undefined or lacks it: labels keep it, see parseLabels).
 */
export function readKeyValueFile(
  path: string,
  flag: string,
  caller: CallerEnvironment | undefined,
): string[] {
  return parseKeyValueFile(readTextFile(path, flag, fileSizeMax), `${flag} ${path}`, caller);
}

export function parseKeyValueFile(
  text: string,
  what: string,
  caller: CallerEnvironment | undefined,
): string[] {
  const entries: string[] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const [key, value] = cut(line);
    const place = `${what}, line ${index + 1}`;
    if (key === "") throw invalid(`invalid ${place}: no variable name in ${quote(line)}`);
    if (/\s/.test(key)) throw invalid(`invalid ${place}: variable ${quote(key)} contains whitespace`);
    rejectNul(place, line);
    if (value !== undefined || caller === undefined) {
      entries.push(line);
      continue;
    }
    const inherited = caller.get(key);
    if (inherited !== undefined) entries.push(checkVariable(`${key}=${inherited}`, "environment variable"));
  }
  return entries;
}
