import { packedReference } from "../reference/kind.ts";
import { runCli } from "./cli.ts";
import type { Context } from "./command.ts";
import { reportError } from "./output/report.ts";

/** The status of a start that failed, or the program's own. If it is the engine's, it is worth a look whether the app is whole. */
const engineFailed = 125;

/**
 * `./app ARG...`: what the packed app that this executable is does. It is `rt run` of the image inside with the flags that
 * were given to `rt pack`; those that every app has come first, so that `--tty=false` or `--rm=false` there have the last
 * word. It never throws.
 *
 * @returns the process's exit status
 */
export async function runPackedApp(args: readonly string[], context: Context): Promise<number> {
  try {
    const { appStart } = await import("../engine/app/start.ts");
    const { flags, command } = appStart();
    const { isTerminal } = await import("./session.ts");
    const [stdin, stdout, stderr] = [0, 1, 2].map(isTerminal);
    const always = [
      "--rm",
      "--interactive",
      ...(stdin && stdout ? ["--tty"] : []),
      ...(stderr ? [] : ["--quiet"]),
    ];
    const words = args.length > 0 ? args : command;
    const status = await runCli(["run", ...always, ...flags, "--", packedReference, ...words], context);
    if (status === engineFailed) await (await import("../engine/app/check.ts")).checkOwnExecutable();
    return status;
  } catch (error) {
    return reportError(error, context);
  }
}
