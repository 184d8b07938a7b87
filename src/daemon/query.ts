import { invalid, quote, rejectNul } from "../base/invalid.ts";
import { type Filters, readFilters } from "../docker/filters.ts";

/** Words that are no yes, as Docker reads a flag; every other text is one. */
const noes = new Set(["", "0", "no", "false", "none"]);

/** What stands behind the "?" of a request. A name that is not known is nobody's mistake. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(text: string) {
    this.#values = new URLSearchParams(text);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** "" where there is none. @throws RtError invalid-argument: it has a NUL */
  text(name: string): string {
    return rejectNul(name, this.#values.get(name) ?? "");
  }

  /** Of a name that may come several times. */
  texts(name: string): string[] {
    return this.#values.getAll(name).map((value) => rejectNul(name, value));
  }

  flag(name: string, otherwise = false): boolean {
    const value = this.#values.get(name);
    return value === null ? otherwise : !noes.has(value.trim().toLowerCase());
  }

  /** @throws RtError invalid-argument: it is there, and no integer */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === "") return undefined;
    const number = Number(value);
    if (!/^-?[0-9]{1,15}$/.test(value)) throw invalid(`invalid ${name} ${quote(value)}: want an integer`);
    return number;
  }

  /** What the engine's verb makes of them is its own affair. @throws RtError invalid-argument: they are no object of lists */
  filters(): Filters {
    return readFilters(this.text("filters"));
  }
}
