import { version } from "../base/build-info.ts";
import { apiVersionMax } from "./version.ts";

const usual: readonly (readonly [string, string])[] = [
  ["Api-Version", apiVersionMax],
  ["Docker-Experimental", "false"],
  ["Ostype", "linux"],
  ["Server", `rt/${version} (linux)`],
];

/** What every answer says of who answers, as Docker's clients read it. */
export function usualFields(): readonly (readonly [string, string])[] {
  return [...usual, ["Date", new Date().toUTCString()]];
}
