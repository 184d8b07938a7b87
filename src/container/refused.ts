import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asSystemError, isErrno, RtError } from "../base/errors.ts";
import { type Infer, integer, listOf, object, text } from "../base/shape.ts";

/** Where a container wanted to go, and was not let go: 6 is TCP, 17 UDP; port 0 of what has none. */
const shape = listOf(object({ address: text, protocol: integer, port: integer }));
export type Refused = Infer<typeof shape>;

const fileName = "refused";

/** The firewall forgets a container that is over: what was refused stays with its log. */
export function keepRefused(files: string, refused: Refused): void {
  try {
    mkdirSync(files, { recursive: true, mode: 0o700 });
    writeFileSync(join(files, fileName), JSON.stringify(refused), { mode: 0o600 });
  } catch (error) {
    // The disk is full, and the container is over all the same.
    if (!asSystemError(error)) throw error;
  }
}

/** It lives again. */
export function forgetRefused(files: string): void {
  rmSync(join(files, fileName), { force: true });
}

/** None of one whose last life was refused nothing, or of which nobody knows. */
export function readRefused(files: string): Refused {
  try {
    return shape(JSON.parse(readFileSync(join(files, fileName), "utf8")), fileName);
  } catch (error) {
    if (isErrno(error, "ENOENT") || error instanceof SyntaxError || error instanceof RtError) return [];
    throw error;
  }
}
