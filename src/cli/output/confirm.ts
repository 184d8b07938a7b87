import { readSync } from "node:fs";
import type { Context } from "../command.ts";

/**
 * Docker's question before much is removed at once. Only a line that is "y" means yes; the end of the input means no.
 * @param loss what will happen: "all stopped containers"
 */
export function confirm(context: Context, loss: string): boolean {
  context.stdout.write(`WARNING! This will remove ${loss}.\nAre you sure you want to continue? [y/N] `);
  return /^y$/i.test(readLine().trim());
}

/** From stdin, byte by byte: what follows the line is not ours. */
function readLine(): string {
  const byte = new Uint8Array(1);
  let line = "";
  while (line.length < 100 && readSync(0, byte) === 1 && byte[0] !== 0x0a)
    line += String.fromCharCode(byte[0]!);
  return line;
}
