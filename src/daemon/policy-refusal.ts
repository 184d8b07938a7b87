import { RtError } from "../base/errors.ts";

/** One line: what, and which rule says so, or does not. */
export function notAllowed(what: string, rule: string): RtError {
  return new RtError("forbidden", `not allowed on this socket: ${what}: ${rule}`);
}
