import { invalid, quote } from "./invalid.ts";

/**
 * `ctrl-p,ctrl-q` (the default), `ctrl-@`, `a`: the bytes that detach a client from a container. An empty text: never.
 * @param what they are called where they were written
 * @throws RtError invalid-argument
 */
export function parseDetachKeys(text: string | undefined, what = "--detach-keys"): Uint8Array {
  // Without a pattern or a closure: this is on the way of every run.
  if (text === undefined) return new Uint8Array([0x10, 0x11]);
  if (text === "") return new Uint8Array();
  return Uint8Array.from(text.split(","), (key) => {
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
    if (control) return control.toUpperCase().charCodeAt(0) & 0x1f;
    throw invalid(`invalid ${what} ${quote(text)}: ${quote(key)} is neither a character nor ctrl-LETTER`);
  });
}
