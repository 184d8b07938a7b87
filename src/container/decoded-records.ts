import type { ContainerRecord } from "./record.ts";

/** Beyond it the first that came is decoded anew: a record takes some KiB. */
const recordsMax = 1000;

interface Sighting {
  bytes: Uint8Array;
  /** Once the same bytes were seen again. */
  record?: ContainerRecord;
}

/**
 * Records by the bytes that they are decoded from, for a process that reads the same ones again and again, as a daemon does. What
 * the bytes say cannot be out of date: whoever has read others gets another record.
 *
 * A record that is shared is frozen. The first time a record is its reader's own: a command that ends soon pays for nothing.
 */
export class DecodedRecords {
  readonly #seen = new Map<string, Sighting>();

  /** @param decode of exactly these bytes */
  get(id: string, bytes: Uint8Array, decode: () => ContainerRecord): ContainerRecord {
    const seen = this.#seen.get(id);
    if (!seen || !isSame(seen.bytes, bytes)) {
      const record = decode();
      this.#remember(id, { bytes });
      return record;
    }
    seen.record ??= frozen(decode());
    return seen.record;
  }

  #remember(id: string, sighting: Sighting): void {
    this.#seen.delete(id);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size >= recordsMax && oldest !== undefined) this.#seen.delete(oldest);
    this.#seen.set(id, sighting);
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0;
}

/** With all that is in it: nobody's change is another's. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const each of Object.values(value)) frozen(each);
  return Object.freeze(value);
}
