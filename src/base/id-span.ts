/** Numbers of users, or of groups: `size` of them from `first` on. Lists of them are in ascending order and do not touch. */
export interface IdSpan {
  first: number;
  size: number;
}

/** In order, and what overlaps or touches is one. */
export function joinedSpans(spans: readonly IdSpan[]): IdSpan[] {
  const joined: IdSpan[] = [];
  for (const { first, size } of spans.filter((each) => each.size > 0).toSorted((a, b) => a.first - b.first)) {
    const last = joined.at(-1);
    if (last && first <= last.first + last.size) last.size = Math.max(last.size, first + size - last.first);
    else joined.push({ first, size });
  }
  return joined;
}

/** What is in `spans`, and in none of `taken`. */
export function spansWithout(spans: readonly IdSpan[], taken: readonly IdSpan[]): IdSpan[] {
  const others = joinedSpans(taken);
  return joinedSpans(spans).flatMap(({ first, size }) => {
    const free: IdSpan[] = [];
    let at = first;
    for (const other of others) {
      if (other.first + other.size <= at) continue;
      if (other.first >= first + size) break;
      if (other.first > at) free.push({ first: at, size: other.first - at });
      at = other.first + other.size;
    }
    if (at < first + size) free.push({ first: at, size: first + size - at });
    return free;
  });
}

export function sizeOfSpans(spans: readonly IdSpan[]): number {
  return spans.reduce((sum, { size }) => sum + size, 0);
}

/** `size` numbers of `free`: of the first span that has them all, else of as many as it takes. Undefined: there are too few. */
export function takeFrom(free: readonly IdSpan[], size: number): IdSpan[] | undefined {
  const whole = free.find((span) => span.size >= size);
  if (whole) return [{ first: whole.first, size }];
  if (sizeOfSpans(free) < size) return undefined;
  const taken: IdSpan[] = [];
  let left = size;
  for (const span of free) {
    const part = Math.min(left, span.size);
    if (part > 0) taken.push({ first: span.first, size: part });
    left -= part;
  }
  return taken;
}
