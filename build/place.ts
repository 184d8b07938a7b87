/**
 * What a build leaves for the next one holds absolute paths (Zig's cache above all), so in a checkout that was copied or
 * moved it speaks of another tree, and would silently answer with that one's programs.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Makes the directory `build`, and empties it unless it was filled at this very place. */
export function settleIn(build: string): void {
  mkdirSync(build, { recursive: true });
  const note = join(build, "place");
  const place = realpathSync(build);
  if (existsSync(note) && readFileSync(note, "utf8") === place) return;
  for (const name of readdirSync(build)) rmSync(join(build, name), { recursive: true });
  writeFileSync(note, place);
}
