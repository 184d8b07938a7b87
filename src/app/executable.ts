import { closeSync, openSync, statSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import type { AppFile } from "./file.ts";
import { type AppPart, mark, packedPart, pageBytes } from "./format.ts";

/** The file that a process executes, whatever has become of its name. */
export const ownExecutable = "/proc/self/exe";

/** Marked as an app's, up to a page, and without the image that may be in it already: apps do not nest. Its SHA-256. */
export async function copyExecutable(file: AppFile, path: string): Promise<Uint8Array> {
  const length = packedPart(path)?.offset ?? statSync(path).size;
  const hash = new Bun.CryptoHasher("sha256");
  const fd = openSync(path, "r");
  try {
    await file.copy(fd, { offset: 0, length: mark.offset }, path, hash);
    file.write(mark.bytes, hash);
    const rest = mark.offset + mark.length;
    await file.copy(fd, { offset: rest, length: length - rest }, path, hash);
  } finally {
    closeSync(fd);
  }
  file.pad(pageBytes, hash);
  return hash.digest();
}

/** @throws RtError data-loss: what precedes the layout is not what was packed */
export async function checkExecutable(path: string, part: AppPart): Promise<void> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).slice(0, part.offset).stream()) hash.update(chunk);
  if (hash.digest("hex") === part.sha256) return;
  throw new RtError(
    "data-loss",
    "this app is damaged: its executable is not the one that was packed. Get it anew",
  );
}
