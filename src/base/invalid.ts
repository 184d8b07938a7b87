import { RtError } from "./errors.ts";

/** What a person typed wrongly. */
export function invalid(message: string): RtError {
  return new RtError("invalid-argument", message);
}

/** A user's text in a message: quoted, and not longer than a line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 197)}...` : text);
}

/**
 * Values that end up in files or NUL-terminated strings of the container (environment, hosts, labels): a newline or NUL
 * would forge a second entry (CVE-2022-4318). A tab is harmless.
 * @throws RtError invalid-argument
 */
export function rejectControl(what: string, text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const isControl = (code < 0x20 && code !== 0x09) || (code >= 0x7f && code < 0xa0);
    if (isControl) throw invalid(`invalid ${what} ${quote(text)}: has a control character`);
  }
  return text;
}

/** An argument or path of the container: anything but NUL. */
export function rejectNul(what: string, text: string): string {
  if (text.includes("\0")) throw invalid(`invalid ${what} ${quote(text)}: has a NUL byte`);
  return text;
}
