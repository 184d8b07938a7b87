/**
 * A file that one side fills while another reads it: tells the reader how far it may read. Bytes never pass through
 * here, so a slow reader costs no memory and a fast one waits.
 */
export class GrowingFile {
  #size: number;
  #done = false;
  #error: unknown;
  #failed = false;
  #waiting: {
    resolve: (state: { size: number; done: boolean }) => void;
    reject: (error: unknown) => void;
  }[] = [];

  /** @param size bytes that are there already */
  constructor(size = 0) {
    this.#size = size;
  }

  /** There are `size` bytes now. */
  grow(size: number): void {
    this.#size = size;
    this.#wake();
  }

  /** That was all, and it is what was promised. */
  finish(size: number): void {
    this.#size = size;
    this.#done = true;
    this.#wake();
  }

  /** No more will come. Readers get `error`, also those that ask later. */
  fail(error: unknown): void {
    if (this.#done || this.#failed) return;
    this.#failed = true;
    this.#error = error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }

  /** Resolves when there are more bytes than `have`, or no more to come. */
  more(have: number): Promise<{ size: number; done: boolean }> {
    if (this.#failed) return Promise.reject(this.#error);
    if (this.#done || this.#size > have) return Promise.resolve({ size: this.#size, done: this.#done });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve({ size: this.#size, done: this.#done });
  }
}
