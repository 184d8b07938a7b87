import { invalid, quote } from "../base/invalid.ts";
import type { WindowSize } from "../engine/session.ts";
import type { Query } from "./query.ts";

/** `?h=24&w=80` @throws RtError invalid-argument */
export function sizeIn(query: Query): WindowSize {
  return { rows: sideIn(query, "h", "height"), columns: sideIn(query, "w", "width") };
}

function sideIn(query: Query, name: string, what: string): number {
  const text = query.text(name);
  const side = Number(text);
  if (/^[0-9]{1,5}$/.test(text) && side < 1 << 16) return side;
  throw invalid(`invalid resize ${what} ${quote(text)}: want a number of at most 65535`);
}
