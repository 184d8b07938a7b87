import { visible } from "../../base/visible.ts";

const lineBytesMax = 4096;
const lineFeed = 10;

/**
 * The output of several programs on one console: whole lines, each behind the name of who wrote it. A line without an end is
 * written when it has become long, or with `end`. The console is everybody's: what a terminal would act upon is shown as an
 * escape, so that nobody writes over another's line, makes one up, or has the terminal answer for him.
 */
export class ConsoleLines {
  readonly #prefix: Buffer;
  readonly #write: (bytes: Uint8Array) => Promise<void> | undefined;
  #rest: Buffer = Buffer.alloc(0);

  /** @param write like `push`: a promise when it wants no more for the moment */
  constructor(name: string, write: (bytes: Uint8Array) => Promise<void> | undefined) {
    this.#prefix = Buffer.from(`${name} | `);
    this.#write = write;
  }

  push(bytes: Uint8Array): Promise<void> | undefined {
    let rest = Buffer.concat([this.#rest, bytes]);
    const out: Uint8Array[] = [];
    while (rest.length > 0) {
      const found = rest.indexOf(lineFeed);
      if (found < 0 && rest.length < lineBytesMax) break;
      const end = found >= 0 && found < lineBytesMax ? found : lineBytesMax;
      out.push(this.#prefix, shown(rest.subarray(0, end)), newline);
      rest = rest.subarray(end === found ? end + 1 : end);
    }
    this.#rest = rest;
    return out.length > 0 ? this.#write(Buffer.concat(out)) : undefined;
  }

  end(): void {
    if (this.#rest.length > 0) void this.push(newline);
  }
}

const newline = Buffer.from("\n");

/** Control characters but for the tab; as bytes, since what a program writes need not be UTF-8. */
const acting = /(?![\t\x80-\x9f])\p{Cc}|\xc2[\x80-\x9f]/gu;

function shown(line: Buffer): Uint8Array {
  const text = line.toString("latin1");
  if (text.search(acting) < 0) return line;
  const escaped = text.replace(/\r$/, "").replace(acting, (character) => visible(character.at(-1)!));
  return Buffer.from(escaped, "latin1");
}
