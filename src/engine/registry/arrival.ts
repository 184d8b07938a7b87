import { closeSync, openSync, readSync } from "node:fs";
import { GrowingFile } from "../../content/growing-file.ts";
import type { Ingest } from "../../content/ingest.ts";

const readLength = 256 << 10;

/**
 * A blob on its way in from upstream, and all who wait for it: one writes, everybody reads the file behind him. The last bytes
 * are held back until the digest was found right, so nobody ever has all of a wrong one.
 */
export class Arrival {
  readonly #ingest: Ingest;
  readonly #growing: GrowingFile;
  /** Settled when all of it is in the store, or will not be. */
  readonly over: Promise<void>;
  #readers = 0;
  #isOver = false;
  #isClosed = false;
  /** Where it is in the end. */
  readonly #place: string;

  /** The ingest is its own from here on. */
  constructor(ingest: Ingest, place: string, fetch: (offset: number) => AsyncIterable<Uint8Array>) {
    this.#ingest = ingest;
    this.#place = place;
    this.#growing = new GrowingFile(ingest.size);
    this.over = this.#run(fetch).finally(() => {
      this.#isOver = true;
      this.#closeUnused();
    });
  }

  async #run(fetch: (offset: number) => AsyncIterable<Uint8Array>): Promise<void> {
    const ingest = this.#ingest;
    try {
      if (!ingest.present) {
        for await (const chunk of fetch(ingest.size)) {
          ingest.write(chunk);
          this.#growing.grow(ingest.size);
        }
        await ingest.commit();
      }
      this.#growing.finish(ingest.size);
    } catch (error) {
      this.#growing.fail(error);
      throw error;
    }
  }

  /** There is something to read. @throws what upstream answered instead */
  async begun(): Promise<void> {
    await this.#growing.more(0);
  }

  read(start: number, end: number): ReadableStream<Uint8Array> {
    const { size } = this.#ingest.blob;
    // A closed ingest's path leads to whatever has its number now.
    const fd = openSync(this.#isClosed ? this.#place : this.#ingest.path, "r");
    this.#readers++;
    let position = start;
    let isOpen = true;
    const close = () => {
      if (!isOpen) return;
      isOpen = false;
      closeSync(fd);
      this.#readers--;
      this.#closeUnused();
    };
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      try {
        // The last byte is never there before it is done.
        const { size: here, done } = await this.#growing.more(Math.min(position, size - 1));
        const limit = Math.min(end, done ? here : Math.min(here, size - 1));
        if (limit <= position && !done) {
          // All is there and not checked yet, and `more` does not wait: asked at once again, this would spin, and the commit
          // never get its turn.
          await this.over;
          return await pull(controller);
        }
        const buffer = new Uint8Array(Math.min(readLength, limit - position));
        const length = buffer.length === 0 ? 0 : readSync(fd, buffer, 0, buffer.length, position);
        position += length;
        if (length > 0) controller.enqueue(buffer.subarray(0, length));
        if (position < end && length > 0) return;
        close();
        controller.close();
      } catch (error) {
        close();
        controller.error(error);
      }
    };
    return new ReadableStream({ pull, cancel: close }, { highWaterMark: 0 });
  }

  /** `path` leads to the file for as long as the ingest is open. */
  #closeUnused(): void {
    if (!this.#isOver || this.#readers > 0) return;
    this.#isClosed = true;
    this.#ingest.close();
  }
}
