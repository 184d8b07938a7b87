import { invalid, quote, rejectControl } from "../../base/invalid.ts";

/** Form only: names are looked up in the container's own passwd. A number must be one that the kernel has. */
export function parseUser(text = ""): string {
  if (text === "") return text;
  const parts = rejectControl("--user", text).split(":");
  if (parts.length > 2) throw invalid(`invalid --user ${quote(text)}: want name|uid[:group|gid]`);
  for (const part of parts) {
    const number = /^[+-]?\d+$/.test(part) ? Number(part) : 0;
    if (number < 0 || number > 0xffff_fffe)
      throw invalid(`invalid --user ${quote(text)}: ids are 0 to 4294967294`);
  }
  return text;
}
