/**
 * Circles of imports. In a circle there is no file that can be read, tested or moved first, so a type that two files need
 * lies in a third one.
 */

/**
 * @param imports what each file imports; files that are no keys are left out
 * @returns each as "a -> b -> a", from its first file in the alphabet. Every file that is in a circle is in one of these
 *   or between two of them.
 */
export function circles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Set(imports.keys());
  const next = (file: string) => imports.get(file)!.find((target) => left.has(target));
  // Whoever imports nothing that is left is in no circle.
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const file of left) if (next(file) === undefined) left.delete(file);
  }
  const found = new Set<string>();
  // From each file that is left, a next one is left: the way comes back to itself.
  for (const start of left) {
    const way = [start];
    for (let file = next(start)!; ; file = next(file)!) {
      const at = way.indexOf(file);
      if (at >= 0) {
        found.add(written(way.slice(at)));
        break;
      }
      way.push(file);
    }
  }
  return [...found].sort();
}

function written(circle: string[]): string {
  const first = circle.indexOf(circle.toSorted()[0]!);
  return [...circle.slice(first), ...circle.slice(0, first), circle[first]!].join(" -> ");
}
