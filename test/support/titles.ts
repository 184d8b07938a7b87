/**
 * The names of the tests in a file, as its text has them: what `test("…"` and `guestSuite("…"` are given, `…` in place of
 * what a template fills in.
 */

/** Calls whose first argument is a test's name. */
const call = /\b(?:test|it|guestSuite)(?:\.\w+)?(?:\([^"'`()]*\))?\(\s*(?=["'`])/g;

export function testTitles(source: string): string[] {
  return [...source.matchAll(call)].map((match) => literalAt(source, match.index + match[0].length));
}

/** The string literal or template at `start`, without its quotes. */
function literalAt(source: string, start: number): string {
  const quote = source[start];
  let text = "";
  for (let at = start + 1; at < source.length && source[at] !== quote; at++) {
    if (source[at] === "\\") text += source[++at];
    else if (quote === "`" && source.startsWith("${", at)) {
      text += "…";
      at = closingBrace(source, at + 2);
    } else text += source[at];
  }
  return text;
}

/** Where the expression that begins at `start` ends. Strings in it hold no braces but those of templates, which are balanced. */
function closingBrace(source: string, start: number): number {
  let depth = 1;
  for (let at = start; at < source.length; at++) {
    if (source[at] === "{") depth++;
    else if (source[at] === "}" && --depth === 0) return at;
  }
  return source.length;
}

/**
 * Does `source` have the test called `name`? What a template fills in is `…` there, or a text that the file has somewhere else,
 * as the names of cases in its tables.
 */
export function hasTest(source: string, name: string): boolean {
  return testTitles(source).some((title) => {
    if (title === name) return true;
    if (!title.includes("…")) return false;
    const pattern = title.split("…").map(RegExp.escape).join("(.*?)");
    const filled = new RegExp(`^${pattern}$`, "s").exec(name);
    return (
      filled?.slice(1).every((part) => part === "…" || part === "" || isElsewhere(source, part)) ?? false
    );
  });
}

function isElsewhere(source: string, part: string): boolean {
  return part.trim() === part && source.includes(part);
}
