import { isEmpty, printed } from "./print.ts";
import { templateError } from "./scan.ts";

export type TemplateFunction = (...values: unknown[]) => unknown;

/** Go's and Docker's functions. `and` and `or` are here too: without short cuts, which no one sees in a `--format`. */
export const functions: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => JSON.stringify(value ?? null),
  join: (list, separator) =>
    array("join", list)
      .map(printed)
      .join(String(separator ?? "")),
  split: (value, separator) => text("split", value).split(text("split", separator)),
  lower: (value) => text("lower", value).toLowerCase(),
  upper: (value) => text("upper", value).toUpperCase(),
  title: (value) =>
    text("title", value).replace(/(^|\s)(\S)/g, (_, space, letter) => space + letter.toUpperCase()),
  pad: (value, before, after) => " ".repeat(count(before)) + text("pad", value) + " ".repeat(count(after)),
  truncate: (value, length) => [...text("truncate", value)].slice(0, count(length)).join(""),
  print: (...values) => spaced(values),
  println: (...values) => `${values.map(printed).join(" ")}\n`,
  printf: (format, ...values) => printf(text("printf", format), values),
  len: (value) => length(value),
  index: (value, ...keys) => keys.reduce(index, value),
  slice: (value, from, to) =>
    sequence(value).slice(count(from ?? 0), to === undefined ? undefined : count(to)),
  html: (value) => printed(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`),
  urlquery: (value) => encodeURIComponent(printed(value)),
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

function text(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw templateError(`:1: error calling ${name}: ${printed(value)} is not a string`);
}

function array(name: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (value === null || value === undefined) return [];
  throw templateError(`:1: error calling ${name}: ${printed(value)} is not a list`);
}

function sequence(value: unknown): string | unknown[] {
  return typeof value === "string" ? value : array("slice", value);
}

function count(value: unknown): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 0 && number <= 10_000) return number;
  throw templateError(`:1: ${printed(value)} is not a length`);
}

function length(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (typeof value === "object") return value === null ? 0 : Object.keys(value).length;
  throw templateError(`:1: error calling len: len of ${printed(value)}`);
}

function index(value: unknown, key: unknown): unknown {
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
  return (a ?? null) === (b ?? null);
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw templateError(`:1: incompatible types for comparison: ${printed(a)}, ${printed(b)}`);
}

/** Go's Sprint: a space between two operands when neither is a string. */
function spaced(values: unknown[]): string {
  return values.reduce<string>((all, value, at) => {
    const gap = at > 0 && typeof value !== "string" && typeof values[at - 1] !== "string" ? " " : "";
    return all + gap + printed(value);
  }, "");
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
  if (verb === "q") return JSON.stringify(printed(value));
  if (verb === "x" && typeof value === "number") return value.toString(16);
  if (verb === "x") return Buffer.from(printed(value)).toString("hex");
  return printed(value);
}
