import { RtError } from "../../base/errors.ts";

/** It speaks to another rt, which no person is. */
export async function refuseTerminal(instead: string): Promise<void> {
  const { isTerminal } = await import("../session.ts");
  if (!isTerminal(0) && !isTerminal(1)) return;
  throw new RtError(
    "invalid-argument",
    `this speaks to another rt, not to a terminal: it is called for ${instead}`,
  );
}
