import { invalid, quote } from "../../base/invalid.ts";

/** One record of Go's encoding/csv: `a,"b,c","say ""x"""`. @throws RtError invalid-argument on a stray quote */
export function parseCsv(text: string, what: string): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = field.exec(text);
    if (!match) throw invalid(`invalid ${what} ${quote(text)}: stray quote`);
    fields.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
    if (match[3] === "") return fields;
  }
}
