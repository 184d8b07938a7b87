import type { Digest } from "../oci/digest.ts";
import { isDigest } from "../oci/digest.ts";

/**
 * What a decoded record must look like before anybody believes it. A shape is a function that returns when the value
 * fits and throws a ShapeError that names the field when it does not; its type parameter is what it vouches for.
 */
export type Shape<T> = (value: unknown, path: string) => asserts value is T;

export class ShapeError extends Error {}

function expect(condition: boolean, path: string, want: string): asserts condition {
  if (!condition) throw new ShapeError(`${path || "record"} is not ${want}`);
}

export const text: Shape<string> = (value, path) => expect(typeof value === "string", path, "text");

export const flag: Shape<boolean> = (value, path) =>
  expect(typeof value === "boolean", path, "true or false");

/** An integer that JavaScript holds exactly. */
export const integer: Shape<number> = (value, path) =>
  expect(Number.isSafeInteger(value), path, "an integer");

/** A size in bytes or a count. */
export const natural: Shape<number> = (value, path) =>
  expect(Number.isSafeInteger(value) && (value as number) >= 0, path, "a natural number");

export const digest: Shape<Digest> = (value, path) => expect(isDigest(value), path, "a digest");

export function oneOf<const T extends string>(...choices: T[]): Shape<T> {
  return (value, path) => expect(choices.includes(value as T), path, `one of ${choices.join(", ")}`);
}

export function listOf<T>(item: Shape<T>): Shape<T[]> {
  return (value, path) => {
    expect(Array.isArray(value), path, "a list");
    for (let index = 0; index < value.length; index++) item(value[index], `${path}[${index}]`);
  };
}

export function mapOf<T>(item: Shape<T>): Shape<Record<string, T>> {
  return (value, path) => {
    expect(isPlain(value), path, "a map");
    for (const key of Object.keys(value)) item(value[key], `${path}.${key}`);
  };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, path) => {
    if (value !== null) shape(value, path);
  };
}

/** A field that may be absent. Only as a field of `object`. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, path) => {
    if (value !== undefined) shape(value, path);
  };
}

/** Absent fields need `optional`, the others must not have it. */
type Fields<T> = {
  [K in keyof T]-?: Record<string, never> extends Pick<T, K> ? Shape<T[K] | undefined> : Shape<T[K]>;
};

/** Fields that it does not know pass: a newer rt of the same record version may have added some. */
export function object<T extends object>(fields: Fields<T>): Shape<T> {
  const shapes = Object.entries(fields) as [string, Shape<unknown>][];
  return (value, path) => {
    expect(isPlain(value), path, "a map");
    for (const [name, field] of shapes) {
      const shape: Shape<unknown> = field;
      shape(value[name], path ? `${path}.${name}` : name);
    }
  };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}
