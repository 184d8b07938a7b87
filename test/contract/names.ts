/** Names of src, as they are declared. What goes in is source text without comments. */

const declaration =
  /^export\s+(?:async\s+)?(?:abstract\s+)?(?:function\*?|const|let|class|interface|type|enum)\s+([\w$]+)/gm;
const list = /^export\s+(?:type\s+)?\{([^}]*)\}(\s*from\b)?/gm;
const importList = /^import\s+(?:type\s+)?(?:[\w$]+\s*,\s*)?\{([^}]*)\}/gm;

/** @returns the names that a module gives to things of its own; what it only hands on is another's. */
export function exportedNames(code: string): string[] {
  const imported = new Set([...code.matchAll(importList)].flatMap(([, names]) => entries(names!, "last")));
  const own = [...code.matchAll(declaration)].map(([, name]) => name!);
  for (const [, names, from] of code.matchAll(list)) {
    if (from) continue;
    const inside = entries(names!, "first");
    own.push(...entries(names!, "last").filter((_, index) => !imported.has(inside[index]!)));
  }
  return own;
}

/** "type A, b as c": what each is called before `as`, or after it. */
function entries(names: string, which: "first" | "last"): string[] {
  const parts = names.split(",").map((part) => part.trim().replace(/^type\s+/, ""));
  return parts.filter(Boolean).map((part) => part.split(/\s+as\s+/).at(which === "first" ? 0 : -1)!);
}

/** @returns "name: file, file" for each name that several modules give to things of their own */
export function ambiguousNames(modules: ReadonlyMap<string, string>): string[] {
  const files = new Map<string, Set<string>>();
  for (const [file, code] of modules) {
    for (const name of exportedNames(code)) files.set(name, (files.get(name) ?? new Set()).add(file));
  }
  return [...files]
    .filter(([, places]) => places.size > 1)
    .map(([name, places]) => `${name}: ${[...places].sort().join(", ")}`)
    .sort();
}

/** @returns names that a file declares and that end in "_", which says nothing but that the right name was taken */
export function underscoredNames(code: string): string[] {
  const declared =
    /\b(?:function\*?|const|let|class|interface|type|enum|as)\s+([\w$]*\w_)\b|[({,]\s*([\w$]*\w_)\s*[?:,)}=]/g;
  const names = [...code.matchAll(declared)].map(([, name, parameter]) => name ?? parameter!);
  return [...new Set(names)].sort();
}
