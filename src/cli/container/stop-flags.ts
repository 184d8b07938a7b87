import { invalid, quote } from "../../base/invalid.ts";
import { parseSignal } from "../../base/signals.ts";
import type { StopOptions } from "../../engine/container/stop.ts";
import { Option, RtCommand } from "../command.ts";

/** The command line of those who stop containers: how their programs are asked to end. */
export abstract class StopFlags extends RtCommand {
  signal = Option.String("-s,--signal", {
    description: "`SIGNAL` Send this instead of the container's stop signal",
  });
  timeout = Option.String("-t,--timeout,--time", {
    description: "`SECONDS` Wait so long before SIGKILL; -1 for ever (default 10)",
  });
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  /** @throws RtError invalid-argument */
  protected stopOptions(): StopOptions {
    return {
      signal: this.signal && parseSignal(this.signal).name,
      timeout_s: parseTimeout(this.timeout),
    };
  }
}

/** Undefined where nobody says. */
function parseTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw invalid(`invalid --timeout ${quote(text)}: want a number of seconds`);
}
