import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaulted, type Infer, listOf, natural, object, ShapeError, text } from "../base/shape.ts";
import { poststopFile } from "./poststop-file.ts";
import { readStateFile } from "./state-file.ts";

/**
 * Hooks that are to be run once the container is over, and what they are given. Written before anything of the container is
 * made; each that has run is taken out, and the file goes with the last.
 */
const poststop = object({
  /** JSON. */
  state: text,
  hooks: listOf(
    object({
      path: text,
      args: listOf(text),
      env: defaulted(listOf(text), []),
      /** Milliseconds. */
      timeout: natural,
    }),
  ),
});
export type Poststop = Infer<typeof poststop>;

const bytesMax = 4 << 20;

export function writePoststop(directory: string, due: Poststop): void {
  const draft = join(directory, `${poststopFile}.new`);
  writeFileSync(draft, JSON.stringify(due), { mode: 0o600 });
  renameSync(draft, join(directory, poststopFile));
}

/** Undefined where there are none. Of a damaged file nobody knows what to run. */
export function readPoststop(directory: string): Poststop | "damaged" | undefined {
  const bytes = readStateFile(join(directory, poststopFile), bytesMax);
  if (bytes === undefined) return undefined;
  try {
    return poststop(JSON.parse(bytes.toString()), "");
  } catch (error) {
    if (error instanceof ShapeError || error instanceof SyntaxError) return "damaged";
    throw error;
  }
}
