import { RtError } from "../../base/errors.ts";
import type { Context } from "../command.ts";
import { messageOf } from "./report.ts";

/**
 * Does `action` for each name in turn and prints what it answers; a failure is told at once and does not stop the others,
 * as in Docker's rm, kill, rmi and inspect. With `absentIsFine` what is not there is told of and is no failure, so that a
 * script with -f can clean up what may not be there.
 *
 * @returns the exit status: 1 when one of them failed
 */
export async function forEachName(
  names: readonly string[],
  context: Context,
  action: (name: string) => Promise<string>,
  options: { absentIsFine?: boolean } = {},
): Promise<number> {
  let failed = false;
  for (const name of names) {
    try {
      context.stdout.write(await action(name));
    } catch (error) {
      if (!(error instanceof RtError)) throw error;
      failed ||= !(options.absentIsFine && error.code === "not-found");
      context.stderr.write(`rt: ${messageOf(error)}\n`);
    }
  }
  return failed ? 1 : 0;
}
