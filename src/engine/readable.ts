import { RtError } from "../base/errors.ts";
import type { Host } from "./host.ts";

/** @returns the record of what is asked for; undefined of a damaged one, once somebody was told why */
export function readable<T>(host: Host, holder: { readonly record: T }): T | undefined {
  try {
    return holder.record;
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    host.warn(error.message);
    return undefined;
  }
}
