import { invalid } from "../base/invalid.ts";

/** Docker's own documents are seven deep. What reads them goes from level to level, and its stack has an end. */
const levelsMax = 64;

/** A document that a client sends. @throws RtError invalid-argument: it is none, or deeper than any */
export function clientDocument(text: string): unknown {
  if (isDeep(text)) throw invalid(`the document is more than ${levelsMax} levels deep`);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalid("the body is no JSON document");
  }
}

/** Of what is no JSON: something. Each letter is looked at once, whatever there is. */
function isDeep(text: string): boolean {
  let level = 0;
  for (let at = 0; at < text.length; at++) {
    const mark = text[at];
    // A text's own brackets are none.
    if (mark === '"') at = endOfText(text, at);
    else if (mark === "]" || mark === "}") level--;
    else if ((mark === "[" || mark === "{") && ++level > levelsMax) return true;
  }
  return false;
}

/** @param at where it begins */
function endOfText(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === '"') return end;
    if (text[end] === "\\") end++;
  }
  return text.length;
}
