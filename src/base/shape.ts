/**
 * What a value from outside (a decoded record, a document) must look like before anybody believes it. A shape is a function
 * that answers the value when it fits and throws a ShapeError that names the field when it does not; its type parameter is
 * what it vouches for. A type is written once, as its shape, and inferred:
 *
 *   const point = object({ x: integer, y: defaulted(integer, 0), name: optional(text) });
 *   type Point = Infer<typeof point>; // { x: number; y: number; name?: string }
 */
export type Shape<T> = (value: unknown, path: string) => T;

/** What a shape vouches for. */
export type Infer<S> = S extends Shape<infer T> ? T : never;

export class ShapeError extends Error {}

function expect(condition: boolean, path: string, want: string): asserts condition {
  if (!condition) throw new ShapeError(`${path || "record"} is not ${want}`);
}

export const text: Shape<string> = (value, path) => {
  expect(typeof value === "string", path, "text");
  return value;
};

export const flag: Shape<boolean> = (value, path) => {
  expect(typeof value === "boolean", path, "true or false");
  return value;
};

/** An integer that JavaScript holds exactly. */
export const integer: Shape<number> = (value, path) => {
  expect(Number.isSafeInteger(value), path, "an integer");
  return value as number;
};

/** A size in bytes or a count. */
export const natural: Shape<number> = (value, path) => {
  expect(Number.isSafeInteger(value) && (value as number) >= 0, path, "a natural number");
  return value as number;
};

export function oneOf<const T extends string>(...choices: T[]): Shape<T> {
  return (value, path) => {
    expect(choices.includes(value as T), path, `one of ${choices.join(", ")}`);
    return value as T;
  };
}

/** What `is` says yes to; `want` is what it is called in a message. */
export function such<T>(is: (value: unknown) => value is T, want: string): Shape<T> {
  return (value, path) => {
    expect(is(value), path, want);
    return value as T;
  };
}

export function listOf<T>(item: Shape<T>): Shape<T[]> {
  return (value, path) => {
    expect(Array.isArray(value), path, "a list");
    for (let index = 0; index < value.length; index++) item(value[index], `${path}[${index}]`);
    return value;
  };
}

export function mapOf<T>(item: Shape<T>): Shape<Record<string, T>> {
  return (value, path) => {
    expect(isPlain(value), path, "a map");
    for (const key of Object.keys(value)) {
      const given = value[key];
      const taken = item(given, `${path}.${key}`);
      if (taken !== given) value[key] = taken;
    }
    return value as Record<string, T>;
  };
}

/** The shape of a field that may be absent. */
export interface OptionalShape<T> extends Shape<T | undefined> {
  readonly mayBeAbsent: true;
}

/** A field that may be absent, and is then undefined. Only as a field of `object`. */
export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  const whole: Shape<T | undefined> = (value, path) => (value === undefined ? undefined : shape(value, path));
  return Object.assign(whole, { mayBeAbsent: true } as const);
}

/**
 * A field that is `absent` where a value has no such field: so it is added to what was written long ago. Only as a field of
 * `object`.
 */
export function defaulted<T>(shape: Shape<T>, absent: NoInfer<T>): Shape<T> {
  // Each value gets one of its own: somebody may add to a list.
  const fresh = typeof absent === "object" ? () => structuredClone(absent) : () => absent;
  return (value, path) => (value === undefined ? fresh() : shape(value, path));
}

/** The shapes of an object's fields, by name. */
type Fields = Readonly<Record<string, Shape<unknown>>>;

type ObjectOf<F> = Plain<
  { [K in keyof F as F[K] extends OptionalShape<unknown> ? never : K]: Infer<F[K]> } & {
    [K in keyof F as F[K] extends OptionalShape<unknown> ? K : never]?: Exclude<Infer<F[K]>, undefined>;
  }
>;
type Plain<T> = { [K in keyof T]: T[K] };

/** For a type that is written elsewhere: none of its fields is forgotten, `object({ … } satisfies FieldsOf<Elsewhere>)`. */
export type FieldsOf<T> = {
  [K in keyof T]-?: Record<string, never> extends Pick<T, K>
    ? OptionalShape<Exclude<T[K], undefined>>
    : Shape<T[K]>;
};

/**
 * Fields that it does not know pass: a newer rt of the same record version may have added some. Those that are absent and
 * have a default are set in the value itself, which is nobody else's yet.
 */
export function object<F extends Fields>(fields: F): Shape<ObjectOf<F>> {
  const shapes = Object.entries(fields);
  return (value, path) => {
    expect(isPlain(value), path, "a map");
    for (const [name, shape] of shapes) {
      const given = value[name];
      const taken = shape(given, path ? `${path}.${name}` : name);
      if (taken !== given) value[name] = taken;
    }
    return value as ObjectOf<F>;
  };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}
