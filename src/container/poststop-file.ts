import { existsSync } from "node:fs";
import { join } from "node:path";

/** In a state directory: hooks that are due once the container is over (poststop.ts). Most have none. */
export const poststopFile = "poststop";

export function hasPoststop(directory: string): boolean {
  return existsSync(join(directory, poststopFile));
}
