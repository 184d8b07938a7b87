import { RtError } from "../base/errors.ts";
import { visible } from "../base/visible.ts";

/**
 * JSON that strangers wrote. `JSON.parse` alone spends memory and stack in proportion to what it is given, so size and
 * nesting are measured on the bytes first; the rest of this file turns `unknown` into checked shapes.
 *
 * What other engines accept was written for Go's encoding/json, so a document is read as that reads it: members are found
 * whatever the case of their names, null is the zero value, unknown members are passed over, and text that is not
 * well-formed (bytes that are no UTF-8, half a surrogate pair) holds U+FFFD in place of what is wrong.
 *
 * Errors name the document (`what`): data-loss for a wrong form, exhausted for a document beyond its limits.
 */
export const documentBytesMax = 4 * 1024 * 1024;
/** Deepest honest document: an image config's healthcheck, at five. */
const depthMax = 32;

export function parseJson(bytes: Uint8Array, what: string, bytesMax = documentBytesMax): unknown {
  if (bytes.length > bytesMax) {
    throw new RtError("exhausted", `${what} has ${bytes.length} bytes: at most ${bytesMax} are accepted`);
  }
  if (tooDeep(bytes)) {
    throw new RtError("exhausted", `${what} is nested more than ${depthMax} levels deep: refused`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  } catch (error) {
    // A captive portal, a login page, a proxy's error.
    const isPage = /^\s*<(!doctype|html|\?xml)/i.test(Buffer.from(bytes.subarray(0, 200)).toString("latin1"));
    const found = isPage ? ", it is a web page" : "";
    throw new RtError("data-loss", `${what} is not valid JSON${found}`, { cause: error });
  }
}

/** Do [ and { nest beyond the limit? UTF-8's continuation bytes never look like ASCII, so bytes will do. */
function tooDeep(bytes: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > depthMax) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      if (--depth < 0) return false; // not JSON, and the parser says so at this very byte
    }
  }
  return false;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function objectIn(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(what, "an object", value);
  return value as JsonObject;
}

export function arrayIn(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, "an array", value);
  return value;
}

/** A member of an object by its name; undefined where there is none, or null. */
export type Fields = (name: string) => unknown;

/** The members of what Go reads into a struct: of several spellings of one name the last counts. */
export function fieldsIn(value: unknown, what: string): Fields {
  const members = new Map(Object.entries(objectIn(value, what)).map(([key, item]) => [folded(key), item]));
  return (name) => members.get(folded(name)) ?? undefined;
}

/** One spelling for all that Go's case folding holds equal: the Kelvin sign is a k, the long s an s. */
export function folded(name: string): string {
  return name.toLowerCase().replaceAll("\u017f", "s");
}

export function textIn(value: unknown, what: string): string {
  if (typeof value !== "string") throw wrong(what, "a string", value);
  return value.toWellFormed();
}

/** A text without NUL: every one of them ends up in a C string or a file name somewhere. */
export function stringIn(value: unknown, what: string): string {
  const text = textIn(value, what);
  if (text.includes("\0")) throw new RtError("data-loss", `${what} contains a NUL character`);
  return text;
}

export function integerIn(value: unknown, what: string, min = 0): number {
  if (!Number.isSafeInteger(value) || (value as number) < min)
    throw wrong(what, `an integer from ${min}`, value);
  return value as number;
}

/** `read` of the value, or undefined where it is absent or null: Go writes an empty slice or map as null. */
export function optionalIn<T>(
  value: unknown,
  what: string,
  read: (value: unknown, what: string) => T,
): T | undefined {
  return value === undefined || value === null ? undefined : read(value, what);
}

export function stringsIn(value: unknown, what: string): string[] {
  return arrayIn(value, what).map((item, i) => stringIn(item ?? "", `${what}[${i}]`));
}

export function stringMapIn(value: unknown, what: string): Record<string, string> {
  const entries = Object.entries(objectIn(value, what));
  return Object.fromEntries(
    entries.map(([key, item]) => [stringIn(key, what), stringIn(item ?? "", `${what}.${shown(key)}`)]),
  );
}

/** At most 80 characters of what a stranger wrote, nothing of which a terminal acts upon. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return visible(text.slice(0, 80));
}

/** The same in quotes; a line break is seen as \n. */
export function quoted(text: string): string {
  return visible(JSON.stringify(text.slice(0, 100)));
}

function wrong(what: string, wanted: string, value: unknown): RtError {
  const found = value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
  return new RtError("data-loss", `${what} is ${found}: want ${wanted}`);
}
