import { visible } from "../../base/visible.ts";
import type { EachContainer } from "../../engine/system/each-container.ts";
import type { Context } from "../command.ts";
import { messageOf } from "../output/report.ts";

/** Prints the name of each container that is done, and why another one is not. @returns 1 when one of them failed */
export async function forEachContainer(
  { stdout, stderr }: Context,
  verb: (options: EachContainer) => Promise<void>,
): Promise<number> {
  let failed = false;
  await verb({
    onDone(name, error) {
      failed ||= error !== undefined;
      if (error) stderr.write(`rt: ${messageOf(error)}\n`);
      else stdout.write(`${visible(name)}\n`);
    },
  });
  return failed ? 1 : 0;
}
