import { LinearPattern } from "../base/linear-pattern.ts";
import { bad } from "../base/toml.ts";
import { canonical, parse } from "../reference/reference.ts";

/** Names that a policy means. `*` stands for any letters but a slash, `**` for any. */
export interface Pattern {
  text: string;
  matches(name: string): boolean;
}

export function policyPattern(text: string): Pattern {
  const source = text
    .split(/(\*{1,2})/)
    .map((part) => (part === "*" ? "[^/]*" : part === "**" ? "[^]*" : RegExp.escape(part)))
    .join("");
  const expression = new LinearPattern(`^${source}$`);
  return { text, matches: (name) => expression.test(name) };
}

/**
 * Of images, by their names in full: "alpine" is docker.io/library/alpine, and without a tag or a digest it is each of them.
 * "embed:hello" is just that one.
 */
export function referencePattern(text: string, file: string): Pattern {
  if (/^embed:[\w.-]+$/.test(text)) return { text, matches: (name) => name === text };
  if (/[^\w.:/@*-]/.test(text) || text === "")
    throw bad(file, `images has ${JSON.stringify(text)}: want the names of images`);
  const pattern = policyPattern(text === "*" || text === "**" ? "**" : inFull(text));
  const isWhole = /[:@][^/]*$/.test(pattern.text);
  return {
    text,
    matches: (name) => {
      if (name.startsWith("embed:")) return false;
      return pattern.matches(name) || (!isWhole && pattern.matches(nameAlone(name)));
    },
  };
}

function inFull(text: string): string {
  const [first = "", ...rest] = text.split("/");
  if (rest.length === 0) return `docker.io/library/${text}`;
  return /[.:*]|^localhost$/.test(first) ? text : `docker.io/${text}`;
}

/** Without tag and digest: "docker.io/library/alpine". */
function nameAlone(name: string): string {
  const at = name.indexOf("@");
  const before = at < 0 ? name : name.slice(0, at);
  const colon = before.indexOf(":", before.lastIndexOf("/") + 1);
  return colon < 0 ? before : before.slice(0, colon);
}

/** As patterns have it; undefined where it is no registry's name. */
export function canonicalName(text: string): string | undefined {
  try {
    return canonical(parse(text));
  } catch {
    return undefined;
  }
}

/** Without tag and digest; undefined where it is no registry's name. */
export function repositoryName(text: string): string | undefined {
  const name = canonicalName(text);
  return name === undefined ? undefined : nameAlone(name);
}

export function matchesAny(patterns: readonly Pattern[], name: string): boolean {
  return patterns.some((pattern) => pattern.matches(name));
}
