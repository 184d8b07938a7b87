/** How a Dockerfile's instructions take words apart and fill in variables (buildkit's shell lexer, without its patterns). */

/** At white space, but for what is in quotes or behind a backslash; quotes and backslashes stay. */
export function splitWords(text: string): string[] {
  return text.match(/(?:"(?:\\[\s\S]|[^"\\])*"?|'[^']*'?|\\[\s\S]|[^\s"'\\]|\\$)+/g) ?? [];
}

/**
 * Quotes are taken away, and `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}` filled in, but not in single quotes. What is
 * no variable stays as it is; one that nobody has set is empty.
 * @param env "KEY=VALUE" each, the last of a name counts
 */
export function expandWord(word: string, env: readonly string[]): string {
  const values = new Map(env.map((entry) => [entry.split("=", 1)[0]!, entry.slice(entry.indexOf("=") + 1)]));
  return expand(word, values, 0);
}

const depthMax = 16;
const pieces =
  /\\([\s\S])|'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\$\{(\w+)(?:(:[-+])((?:\$\{[^}]*\}|[^}])*))?\}|\$(\w+)|([\s\S])/g;

function expand(word: string, values: ReadonlyMap<string, string>, depth: number): string {
  if (depth > depthMax) return word;
  return word.replace(pieces, (all, escaped, single, double, braced, operator, otherwise, bare, other) => {
    if (escaped !== undefined) return escaped;
    if (single !== undefined) return single;
    if (double !== undefined) return inQuotes(double, values, depth + 1);
    if (bare !== undefined) return values.get(bare) ?? "";
    if (braced === undefined) return other ?? all;
    const value = values.get(braced) ?? "";
    if (operator === ":-") return value || expand(otherwise, values, depth + 1);
    if (operator === ":+") return value && expand(otherwise, values, depth + 1);
    return value;
  });
}

/** A backslash there stands for itself, unless what follows means something. */
function inQuotes(text: string, values: ReadonlyMap<string, string>, depth: number): string {
  return text
    .split(/(\\[\s\S])/)
    .map((part, index) => {
      if (index % 2 === 1) return /^\\["$\\]$/.test(part) ? part[1]! : part;
      return expand(part.replace(/'/g, "\\'"), values, depth);
    })
    .join("");
}
