import { visibleJson } from "../../base/visible.ts";
import { isEmpty, OwnText, plain, printed } from "./print.ts";
import { templateError } from "./scan.ts";

export type TemplateFunction = (...values: unknown[]) => unknown;

/** Go's and Docker's functions. `and` and `or` are here too: without short cuts, which no one sees in a `--format`. */
export const functions: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => new OwnText(visibleJson(value ?? null)),
  join: (list, separator) =>
    new OwnText(
      array("join", list)
        .map(printed)
        .join(printed(separator ?? "")),
    ),
  split: (value, separator) =>
    text("split", value)
      .split(text("split", separator))
      .map((part) => like(value, part)),
  lower: (value) => like(value, text("lower", value).toLowerCase()),
  upper: (value) => like(value, text("upper", value).toUpperCase()),
  title: (value) => like(value, titled(text("title", value))),
  pad: (value, before, after) =>
    like(value, " ".repeat(count(before)) + text("pad", value) + " ".repeat(count(after))),
  truncate: (value, length) => like(value, [...text("truncate", value)].slice(0, count(length)).join("")),
  print: (...values) => new OwnText(spaced(values)),
  println: (...values) => new OwnText(`${values.map(printed).join(" ")}\n`),
  printf: (format, ...values) => new OwnText(printf(printed(format), values)),
  len: (value) => length(plain(value)),
  index: (value, ...keys) => keys.map(plain).reduce(index, value),
  slice,
  html: (value) =>
    new OwnText(printed(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)),
  urlquery: (value) => encodeURIComponent(printed(value).toWellFormed()),
  not: (value) => isEmpty(value),
  and: (...values) => values.find(isEmpty) ?? values.at(-1),
  or: (...values) => values.find((value) => !isEmpty(value)) ?? values.at(-1),
  eq: (value, ...others) => others.some((other) => equal(value, other)),
  ne: (value, other) => !equal(value, other),
  lt: (value, other) => compare(value, other) < 0,
  le: (value, other) => compare(value, other) <= 0,
  gt: (value, other) => compare(value, other) > 0,
  ge: (value, other) => compare(value, other) >= 0,
};

/** For the heading of a table: what changes a value leaves a heading as it is. */
export const headingFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...functions,
  ...Object.fromEntries(
    "json join split lower upper title truncate".split(" ").map((name) => [name, (value) => value]),
  ),
};

/** What a function made of `value`'s text is of the same kind. */
function like(value: unknown, made: string): unknown {
  return value instanceof OwnText ? new OwnText(made) : made;
}

function titled(words: string): string {
  return words.replace(/(^|\s)(\S)/g, (_, space, letter) => space + letter.toUpperCase());
}

function slice(value: unknown, from: unknown, to: unknown): unknown {
  const ends = [count(from ?? 0), to === undefined ? undefined : count(to)] as const;
  const list = plain(value);
  return typeof list === "string" ? like(value, list.slice(...ends)) : array("slice", list).slice(...ends);
}

function text(name: string, value: unknown): string {
  const found = plain(value);
  if (typeof found === "string") return found;
  throw templateError(`:1: error calling ${name}: ${printed(value)} is not a string`);
}

function array(name: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (value === null || value === undefined) return [];
  throw templateError(`:1: error calling ${name}: ${printed(value)} is not a list`);
}

function count(value: unknown): number {
  const number = Number(plain(value));
  if (Number.isInteger(number) && number >= 0 && number <= 10_000) return number;
  throw templateError(`:1: ${printed(value)} is not a length`);
}

function length(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (typeof value === "object") return value === null ? 0 : Object.keys(value).length;
  throw templateError(`:1: error calling len: len of ${printed(value)}`);
}

function index(whole: unknown, key: unknown): unknown {
  const value = plain(whole);
  if (value === null || value === undefined) return "";
  if (Array.isArray(value) || typeof value === "string") {
    const position = Number(key);
    if (Number.isInteger(position) && position >= 0 && position < value.length) return value[position];
    throw templateError(`:1: error calling index: index out of range: ${printed(key)}`);
  }
  if (typeof value === "object") {
    // Go answers the zero value of the map's type for a missing key; a map of strings is the usual one.
    return Object.hasOwn(value, String(key)) ? (value as Record<string, unknown>)[String(key)] : "";
  }
  throw templateError(`:1: error calling index: can't index ${printed(value)}`);
}

function equal(a: unknown, b: unknown): boolean {
  return (plain(a) ?? null) === (plain(b) ?? null);
}

function compare(one: unknown, other: unknown): number {
  const [a, b] = [plain(one), plain(other)];
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw templateError(`:1: incompatible types for comparison: ${printed(a)}, ${printed(b)}`);
}

/** Go's Sprint: a space between two operands when neither is a string. */
function spaced(values: unknown[]): string {
  return values.reduce<string>((all, value, at) => {
    const gap = at > 0 && !isText(value) && !isText(values[at - 1]) ? " " : "";
    return all + gap + printed(value);
  }, "");
}

function isText(value: unknown): boolean {
  return typeof plain(value) === "string";
}

/** Go's Sprintf for %s %v %d %q %t %x %%, with width and a minus sign. */
function printf(format: string, values: unknown[]): string {
  let next = 0;
  const result = format.replace(/%(-?)(0?)(\d*)(?:\.\d+)?([a-zA-Z%])/g, (_, minus, zero, width, verb) => {
    if (verb === "%") return "%";
    if (next >= values.length) return `%!${verb}(MISSING)`;
    const value = verbText(verb, values[next++]);
    if (width === "") return value;
    const columns = count(width);
    return minus ? value.padEnd(columns) : value.padStart(columns, zero ? "0" : " ");
  });
  const extra = values.slice(next).map(printed).join(", ");
  return extra === "" ? result : `${result}%!(EXTRA ${extra})`;
}

function verbText(verb: string, value: unknown): string {
  if (verb === "q") return visibleJson(isText(value) ? plain(value) : printed(value));
  if (verb === "x" && typeof value === "number") return value.toString(16);
  if (verb === "x") return Buffer.from(isText(value) ? String(value) : printed(value)).toString("hex");
  return printed(value);
}
