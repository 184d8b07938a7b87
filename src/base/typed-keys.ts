/** Finds the keys that detach in what is typed. A beginning of them is held back until the next byte shows whether it was one. */
export class DetachKeys {
  readonly #keys: Uint8Array;
  #matched = 0;

  /** @param keys none when empty */
  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** @returns what goes to the program, and whether the keys were completed: nothing after them counts */
  filter(bytes: Uint8Array): { typed: Uint8Array; detaches: boolean } {
    const keys = this.#keys;
    if (keys.length === 0) return { typed: bytes, detaches: false };
    const typed: number[] = [];
    for (const byte of bytes) {
      if (byte !== keys[this.#matched] && this.#matched > 0) {
        typed.push(...keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== keys[this.#matched]) typed.push(byte);
      else if (++this.#matched === keys.length) return { typed: Uint8Array.from(typed), detaches: true };
    }
    return { typed: Uint8Array.from(typed), detaches: false };
  }
}
