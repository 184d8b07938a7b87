import { type Infer, natural, object, optional, ShapeError } from "../base/shape.ts";

const circumstances = object({
  /** It was ended by this signal, and did not exit with a status that says the same. */
  signal: optional(natural),
  /** The kernel has killed so many of its processes for want of memory. Bytes; 0: no limit, or unknown. */
  oom: optional(object({ kills: natural, limit: natural, peak: natural })),
  /** How often its restart policy has started the program again since somebody did. */
  restarts: optional(natural),
  /** The errno(3) with which lines of the log were lost, the first time. */
  logErrno: optional(natural),
});

/** What is to be known of an end besides its status. A member is there where there is something to say. */
export type Circumstances = Infer<typeof circumstances>;

/** For the store. @returns null: an end like any other */
export function encodeCircumstances(found: Circumstances | undefined): string | null {
  return found && Object.keys(found).length > 0 ? JSON.stringify(found) : null;
}

/** What is damaged says nothing. */
export function decodeCircumstances(text: string | null): Circumstances | undefined {
  if (text === null) return undefined;
  try {
    return circumstances(JSON.parse(text), "circumstances");
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ShapeError) return undefined;
    throw error;
  }
}
