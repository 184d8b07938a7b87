import { RtError } from "../../base/errors.ts";
import type { Context } from "../command.ts";
import { errorLine } from "./report.ts";

/**
 * Does `action` for each name in turn and prints what it answers; a failure is told at once and does not stop the others,
 * as in Docker's rm, kill, rmi and inspect. With `absentIsFine` what is not there is told of and is no failure, so that a
 * script with -f can clean up what may not be there. With `atOnce` none waits for the one before; they are told in order.
 *
 * @returns the exit status: 1 when one of them failed
 * @throws RtError cancelled
 */
export async function forEachName(
  names: readonly string[],
  context: Context,
  action: (name: string) => Promise<string>,
  options: { absentIsFine?: boolean; atOnce?: boolean } = {},
): Promise<number> {
  let failed = false;
  const begun = options.atOnce ? names.map(action) : [];
  // Each failure has its turn below; until then it is not an unhandled one.
  for (const each of begun) each.catch(() => undefined);
  for (const [index, name] of names.entries()) {
    try {
      context.stdout.write(await (begun[index] ?? action(name)));
    } catch (error) {
      // Whoever interrupts it means all of it.
      if (!(error instanceof RtError) || error.code === "cancelled") throw error;
      failed ||= !(options.absentIsFine && error.code === "not-found");
      context.stderr.write(errorLine(error, context));
    }
  }
  return failed ? 1 : 0;
}
