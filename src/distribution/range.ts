/** Bytes from `start` up to and not with `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

const number = "[0-9]{1,15}";
const single = new RegExp(`^bytes=(${number})?-(${number})?$`);
const contentRange = new RegExp(`^(?:bytes[ =])?(${number})-(${number})(?:/(?:${number}|\\*))?$`);

/**
 * A request's Range (RFC 9110 section 14.2) of one span; several, other units and nonsense are passed over, as that says.
 * @returns "none": all of it is wanted; "unsatisfiable": 416
 */
export function rangeIn(header: string | null, size: number): ByteRange | "none" | "unsatisfiable" {
  const found = single.exec(header ?? "");
  if (!found) return "none";
  const [first, last] = [found[1], found[2]];
  if (first === undefined && last === undefined) return "none";
  if (first === undefined) {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === undefined ? size : Math.min(Number(last) + 1, size);
  if (last !== undefined && Number(last) < start) return "none";
  return start >= size ? "unsatisfiable" : { start, end };
}

/** A push's Content-Range, "0-99", which has no unit; that of HTTP is understood too. Undefined: nonsense. */
export function contentRangeIn(header: string): ByteRange | undefined {
  const found = contentRange.exec(header);
  if (!found) return undefined;
  const [start, last] = [Number(found[1]), Number(found[2])];
  return last < start ? undefined : { start, end: last + 1 };
}
