import { invalid, quote } from "../../base/invalid.ts";
import { Option } from "../command.ts";

/** Flags that say how a program is asked to end. */
export const stopFlags = {
  signal: () =>
    Option.String("-s,--signal", {
      description: "`SIGNAL` Send this instead of the container's stop signal",
    }),
  timeout: () =>
    Option.String("-t,--timeout,--time", {
      description: "`SECONDS` Wait so long before SIGKILL; -1 for ever (default 10)",
    }),
};

/** @returns seconds; undefined where nobody says. @throws RtError invalid-argument */
export function parseTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw invalid(`invalid --timeout ${quote(text)}: want a number of seconds`);
}
