import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno, withCause } from "../base/errors.ts";
import { invalid } from "../base/invalid.ts";
import { parseJson } from "../oci/json.ts";
import { type HookDefinition, hookDefinition } from "../settings/hook.ts";

const fileBytesMax = 1 << 20;

/**
 * The hooks that the `*.json` files of these directories define, in the order of the files' names in lower case. Of two files of
 * one name the later directory's counts.
 * @throws RtError that names the file; of a directory that is not there: not-found
 */
export function readHookFiles(directories: readonly string[]): HookDefinition[] {
  const files = new Map<string, string>();
  for (const directory of directories)
    for (const name of namesIn(directory)) if (name.endsWith(".json")) files.set(name, join(directory, name));
  return [...files]
    .map(([name, path]) => ({ key: name.toLowerCase(), path }))
    .sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ path }) => definitionIn(path));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    throw withCause("cannot read the directory of hooks", error);
  }
}

function definitionIn(path: string): HookDefinition {
  const what = `hook file ${path}`;
  return hookDefinition(parseJson(bytesOf(path, what), what, fileBytesMax), what);
}

function bytesOf(path: string, what: string): Uint8Array {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw invalid(`${what} is not a regular file`);
    if (stat.size > fileBytesMax) throw invalid(`${what} is larger than ${fileBytesMax} bytes`);
    return readFileSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw withCause(what, error); // a link that leads nowhere
    throw withCause(`cannot read ${what}`, error);
  }
}
