/**
 * Text that strangers wrote (an image, a registry, a container), as it may be shown. What a terminal acts upon, what moves
 * or hides its neighbours (U+202E, zero widths), and what ends a line is written as an escape, `\n` or `\u001b`, so that no
 * label changes a title, hides a line or makes one up. It is for people; what must be exact is told as JSON.
 */
export function visible(text: string): string {
  return text.replace(acting, escaped);
}

/** Text that is JSON already, and laid out: the same to a program, and a terminal acts upon nothing but its lines and tabs. */
export function visibleJsonText(json: string): string {
  return json.replace(acting, (character) => (/[\n\t]/.test(character) ? character : units(character)));
}

/** JSON that says the same to a program, and of which a terminal acts upon nothing. */
export function visibleJson(value: unknown, indent?: number): string {
  // Within strings JSON has escaped what it must; what is left of control characters is its own line ends.
  const json = JSON.stringify(value, undefined, indent) ?? "null";
  return json.replace(acting, (character) => (character === "\n" ? character : units(character)));
}

/** Controls, formats (bidirectional and zero-width ones among them), line and paragraph separators, halves of pairs. */
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  return short[character] ?? (code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : units(character));
}

/** As JSON has it: an escape for each half. */
function units(character: string): string {
  return [...Array(character.length).keys()]
    .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
    .join("");
}
