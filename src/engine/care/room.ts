import { RtError } from "../../base/errors.ts";
import type { Host } from "../host.ts";

/**
 * For what the next command can do as well, so that this one goes on. `failure` says what was not done.
 * @returns false on a full disk
 */
export async function ifRoom(
  host: Host,
  failure: string,
  write: () => void | Promise<void>,
): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (!(error instanceof RtError) || error.code !== "exhausted") throw error;
    host.warn(`${failure}: ${error.message}`);
    return false;
  }
}
