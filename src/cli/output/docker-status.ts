import { RtError, withExitCode } from "../../base/errors.ts";

/** Docker's client ends with 1 where what it was asked for fails; a signal's number and our own mistakes stay what they are. */
export async function dockerStatus<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const isFailure = error instanceof RtError && error.code !== "cancelled";
    throw isFailure ? withExitCode(error, 1) : error;
  }
}
