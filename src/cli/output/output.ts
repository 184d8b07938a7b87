import { writeSync } from "node:fs";
import { isErrno } from "../../base/errors.ts";

/** Where a command writes: synchronous, so that nothing is lost at exit, and without node:tty until it is asked for. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Columns of the terminal, 80 when it is none or does not say. */
  readonly columns: number;
  /** Lines of the terminal, 24 when it is none or does not say. */
  readonly rows: number;
}

/** The reader of our output went away (`rt ps | head -1`): not an error to report. */
export class OutputClosed extends Error {}

/** The log of what serves others: a line that cannot be written is lost, and they are served all the same. */
export class LogOutput implements Output {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  write(text: string): void {
    try {
      this.#output.write(text);
    } catch {
      // The reader is gone, or the disk is full: the one place to say so is the log.
    }
  }

  get isTerminal(): boolean {
    return this.#output.isTerminal;
  }

  get columns(): number {
    return this.#output.columns;
  }

  get rows(): number {
    return this.#output.rows;
  }
}

export class DescriptorOutput implements Output {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length; ) {
      try {
        offset += writeSync(this.#fd, bytes, offset);
      } catch (error) {
        if (isErrno(error, "EPIPE")) throw new OutputClosed("EPIPE", { cause: error });
        // Somebody handed us a pipe in non-blocking mode, and it is full.
        if (!isErrno(error, "EAGAIN")) throw error;
        Bun.sleepSync(1);
      }
    }
  }

  get isTerminal(): boolean {
    return process.getBuiltinModule("node:tty").isatty(this.#fd);
  }

  get columns(): number {
    return this.#stream?.columns || 80;
  }

  get rows(): number {
    return this.#stream?.rows || 24;
  }

  /** For its size only; it is loaded where a terminal is drawn on. */
  get #stream(): NodeJS.WriteStream | undefined {
    if (!this.isTerminal) return undefined;
    return this.#fd === 2 ? process.stderr : process.stdout;
  }
}
