import { invalid, quote, rejectControl } from "../base/invalid.ts";

/** `KEY[=VALUE]` list as a record, last wins: labels, annotations. @throws RtError invalid-argument */
export function parseLabels(texts: readonly string[], what: string): Record<string, string> {
  const labels: Record<string, string> = Object.create(null);
  for (const text of texts) {
    const [key, value] = cut(rejectControl(what, text));
    const name = key.trimStart();
    if (name === "") throw invalid(`invalid ${what} ${quote(text)}: empty name`);
    if (/\s/.test(name)) throw invalid(`invalid ${what} ${quote(text)}: the name contains whitespace`);
    labels[name] = value ?? "";
  }
  return { ...labels };
}

/** Text before and after the first "="; undefined without one. */
export function cut(text: string): [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
