import { invalid, quote } from "../../base/invalid.ts";

/** Bytes of "64m", "1.5 GiB", "1024": powers of 1024, as go-units RAMInBytes. @throws RtError invalid-argument */
export function parseSize(text: string, what = "size"): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?(i?b)?$/i.exec(text);
  if (!match) throw invalid(`invalid ${what} ${quote(text)}: want a number with b, k, m or g, such as 64m`);
  const power = match[2] ? "kmgtp".indexOf(match[2].toLowerCase()) + 1 : 0;
  const bytes = Math.floor(Number(match[1]) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) throw invalid(`invalid ${what} ${quote(text)}: too large`);
  return bytes;
}
