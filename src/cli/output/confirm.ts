import { readSync } from "node:fs";
import type { Context } from "../command.ts";

/**
 * Docker's question before much is removed at once. Only a line that is "y" means yes; the end of the input means no.
 * @param loss what will happen: "all stopped containers"
 */
export function confirm(context: Context, loss: string): boolean {
  return confirmText(context, `WARNING! This will remove ${loss}.\n`);
}

/** The same, of several things. @param condition which of them: "until=24h" */
export function confirmList(
  context: Context,
  losses: readonly string[],
  conditions: readonly string[],
): boolean {
  const lines = losses.map((loss) => `  - ${loss}\n`).join("");
  const which = conditions.map((condition) => `  - ${condition}\n`).join("");
  const filtered = which && `\n  Items to be pruned will be filtered with:\n${which}`;
  return confirmText(context, `WARNING! This will remove:\n${lines}${filtered}\n`);
}

function confirmText(context: Context, text: string): boolean {
  context.stdout.write(`${text}Are you sure you want to continue? [y/N] `);
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
