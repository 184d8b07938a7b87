import { invalid, quote, rejectControl, rejectNul } from "../base/invalid.ts";

/** Who a container is and where it works, as texts; "" leaves it to the image and to us. @throws RtError invalid-argument */

/** Docker's names; a leading slash is Docker's own spelling of them. */
export function parseContainerName(text: string, what: string): string {
  const name = text.replace(/^\//, "");
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= 255) return name;
  throw invalid(
    `invalid ${what} ${quote(text)}: want two or more of [a-zA-Z0-9_.-], a letter or digit first, at most 255`,
  );
}

/** What sethostname(2) takes, and a line of /etc/hosts can hold. */
export function parseHostname(text: string, what: string): string {
  if (text === "") return text;
  if (/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/.test(text) && text.length <= 64) return text;
  throw invalid(`invalid ${what} ${quote(text)}: want at most 64 letters, digits, dots and dashes`);
}

/** `run -w` and `exec -w`: the kernel's magic links would lead out of the container (CVE-2024-21626). */
export function parseWorkingDirectory(text: string, what: string): string {
  if (text === "") return text;
  if (!text.startsWith("/")) throw invalid(`invalid ${what} ${quote(text)}: want an absolute path`);
  return rejectNul(what, text);
}

/** Form only: names are looked up in the container's own passwd. A number must be one that the kernel has. */
export function parseUser(text: string, what: string): string {
  if (text === "") return text;
  const parts = rejectControl(what, text).split(":");
  if (parts.length > 2) throw invalid(`invalid ${what} ${quote(text)}: want name|uid[:group|gid]`);
  for (const part of parts) {
    const number = /^[+-]?\d+$/.test(part) ? Number(part) : 0;
    if (number < 0 || number > 0xffff_fffe)
      throw invalid(`invalid ${what} ${quote(text)}: ids are 0 to 4294967294`);
  }
  return text;
}
