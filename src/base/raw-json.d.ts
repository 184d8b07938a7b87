/** JSON.parse source text access (ECMAScript 2026), which the compiler's library does not know yet. */
interface JSON {
  /** A number that `stringify` writes as it was written. */
  rawJSON(text: string): object;
}
