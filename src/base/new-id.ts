/** 64 hex digits, at random. */
export function newId(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}
