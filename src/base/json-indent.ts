/**
 * Go's json.Indent: the same tokens on lines of their own, every one as it was written. Of text that is JSON.
 * @param step what one level is moved by: "\t"
 */
export function indentJson(text: string, step: string): string {
  const line = (depth: number) => `\n${step.repeat(depth)}`;
  let depth = 0;
  let out = "";
  let isEmpty = false;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\],:]/gs)) {
    if (token === "}" || token === "]") {
      depth--;
      out += isEmpty ? token : line(depth) + token;
      isEmpty = false;
      continue;
    }
    if (isEmpty) out += line(depth);
    isEmpty = token === "{" || token === "[";
    if (isEmpty) depth++;
    if (token === ",") out += token + line(depth);
    else out += token === ":" ? ": " : token;
  }
  return out;
}
