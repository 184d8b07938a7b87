import { RtError } from "../../base/errors.ts";

/** A piece of a template: literal text, or the inside of one `{{…}}`. `at` is its offset, for messages. */
export interface Piece {
  kind: "text" | "action";
  text: string;
  at: number;
}

/** A word of an action. `field` is ".A.B.C" or "." ; `tail` says that it follows the token before without a space. */
export interface Token {
  kind: "field" | "variable" | "word" | "string" | "number" | "(" | ")" | "|" | "," | ":=" | "=";
  text: string;
  at: number;
  tail: boolean;
}

/** Docker exits with 1 when a template is wrong. */
export function templateError(message: string): RtError {
  return new RtError("invalid-argument", `template parsing error: template: ${message}`, { exitCode: 1 });
}

/** Splits at `{{` and `}}`, with `{{-` and `-}}` trimming the text beside them, and comments left out. */
export function pieces(template: string): Piece[] {
  const found: Piece[] = [];
  let trimNext = false;
  let at = 0;
  const addText = (text: string) => {
    const kept = trimNext ? text.trimStart() : text;
    // `\t` and `\n` typed as two characters are what they say. Within an action that is a string's own affair.
    const said = kept.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
    if (kept !== "") found.push({ kind: "text", text: said, at });
  };
  for (;;) {
    const open = template.indexOf("{{", at);
    if (open < 0) {
      addText(template.slice(at));
      return found;
    }
    const trimBefore = /^-\s/.test(template.slice(open + 2, open + 4));
    const text = template.slice(at, open);
    addText(trimBefore ? text.trimEnd() : text);
    const start = open + (trimBefore ? 3 : 2);
    const close = closing(template, start);
    const inside = template.slice(start, close);
    trimNext = /\s-$/.test(inside);
    const action = trimNext ? inside.slice(0, -1) : inside;
    if (!/^\s*\/\*[\s\S]*\*\/\s*$/.test(action)) found.push({ kind: "action", text: action, at: start });
    at = close + 2;
  }
}

/** Offset of the `}}` that ends the action begun at `start`; one inside a string does not. */
function closing(template: string, start: number): number {
  const unit = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|\/\*[\s\S]*?\*\/|\}\}|[\s\S]/y;
  unit.lastIndex = start;
  for (let match = unit.exec(template); match; match = unit.exec(template)) {
    if (match[0] === "}}") return match.index;
  }
  throw templateError(":1: unclosed action");
}

const patterns: [Token["kind"], RegExp][] = [
  ["field", /\.(?:[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*)?/uy],
  ["variable", /\$(?:[\p{L}_][\p{L}\p{N}_]*)?/uy],
  ["number", /[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)/y],
  ["word", /[\p{L}_][\p{L}\p{N}_]*/uy],
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  [":=", /:=/y],
  ["=", /=/y],
  ["(", /\(/y],
  [")", /\)/y],
  ["|", /\|/y],
  [",", /,/y],
];

export function tokens(piece: Piece): Token[] {
  const found: Token[] = [];
  const space = /\s*/y;
  for (let at = 0; ; ) {
    space.lastIndex = at;
    const gap = space.exec(piece.text)![0].length;
    at += gap;
    if (at >= piece.text.length) return found;
    const token = tokenAt(piece, at, gap === 0 && found.length > 0);
    found.push(token);
    at = token.at - piece.at + token.text.length;
  }
}

function tokenAt(piece: Piece, at: number, tail: boolean): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(piece.text);
    if (match) return { kind, text: match[0], at: piece.at + at, tail };
  }
  const character = [...piece.text.slice(at)][0] ?? "";
  throw templateError(`:1: unexpected ${JSON.stringify(character)} in command`);
}
