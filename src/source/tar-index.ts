import type { FileHandle } from "node:fs/promises";
import { RtError } from "../base/errors.ts";
import { TarHeaders, tarBlock } from "./tar-headers.ts";

/** Where an entry's bytes lie in the archive; or, for a link, where they may lie. */
export interface TarEntry {
  offset: number;
  size: number;
  /** Names of a link's target, the likelier one first. */
  targets?: readonly string[];
}

const windowBytes = 32 << 10;

/** No honest archive of images has more files and links. */
export const tarEntriesMax = 100_000;

/**
 * The files and links of a tar by name; of it headers only are read. The first of two entries of one name is shadowed by the
 * second, as tar would have it.
 *
 * @throws data-loss: not a tar, cut short, or a header that does not add up; exhausted: beyond the bounds
 */
export async function indexTar(file: FileHandle, what: string): Promise<ReadonlyMap<string, TarEntry>> {
  const end = (await file.stat()).size;
  if (end === 0) throw new RtError("data-loss", `${what} is empty: want an archive of images`);
  if (end < tarBlock) throw new RtError("data-loss", `${what} is not a tar archive`);
  const entries = new Map<string, TarEntry>();
  const headers = new TarHeaders(what);
  const bytes = new FileWindow(file, what);
  for (let at = 0; at + tarBlock <= end; ) {
    const step = headers.next(await bytes.at(at, tarBlock));
    if (step.kind === "end") break;
    at += tarBlock;
    const { size } = step;
    if (size > end - at) throw new RtError("data-loss", `${what} is cut short`);
    if (step.kind === "extension") headers.extend(step.type, await bytes.at(at, size));
    else if (step.member.kind !== "other") {
      if (entries.size >= tarEntriesMax)
        throw new RtError("exhausted", `${what} has more than ${tarEntriesMax} entries: refused`);
      const { name, targets } = step.member;
      entries.set(name, { offset: at, size, ...(targets && { targets }) });
    }
    at += Math.ceil(size / tarBlock) * tarBlock;
  }
  return entries;
}

/** A file's bytes by their place; those of small entries next to one another are read together. */
class FileWindow {
  readonly #file: FileHandle;
  readonly #what: string;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array();

  constructor(file: FileHandle, what: string) {
    this.#file = file;
    this.#what = what;
  }

  /** Valid until the next is asked for. @throws RtError data-loss: it ends before */
  async at(offset: number, length: number): Promise<Uint8Array> {
    const isInside = offset >= this.#start && offset + length <= this.#start + this.#bytes.length;
    if (!isInside) await this.#read(offset, Math.max(length, windowBytes));
    const from = offset - this.#start;
    if (from + length > this.#bytes.length) throw new RtError("data-loss", `${this.#what} is cut short`);
    return this.#bytes.subarray(from, from + length);
  }

  async #read(offset: number, length: number): Promise<void> {
    const { bytesRead, buffer } = await this.#file.read(new Uint8Array(length), 0, length, offset);
    this.#start = offset;
    this.#bytes = buffer.subarray(0, bytesRead);
  }
}
