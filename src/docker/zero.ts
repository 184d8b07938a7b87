import { RtError } from "../base/errors.ts";
import { defaulted, type OptionalShape, optional, type Shape, ShapeError } from "../base/shape.ts";

/**
 * What a client of Docker's leaves out comes as null, as "", 0, false, [], {}, or not at all: Go's zero values. A field that
 * is none of these is a wish, and a wish that cannot be granted is refused, not forgotten.
 */
export function isZero(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** A field that may be null or absent, and is `absent` then. Only as a field of `object`. */
export function given<T>(shape: Shape<T>, absent: NoInfer<T>): Shape<T> {
  const whole = defaulted(shape, absent);
  return (value, path) => whole(value ?? undefined, path);
}

/** A field that may be null or absent, and is undefined then. Only as a field of `object`. */
export function nullable<T>(shape: Shape<T>): OptionalShape<T> {
  const whole = optional(shape);
  return Object.assign((value: unknown, path: string) => whole(value ?? undefined, path), {
    mayBeAbsent: true,
  } as const);
}

/** What may be said of a field besides nothing, because it is so anyway, or is the client's own affair. */
export type Harmless = Readonly<Record<string, (value: unknown) => boolean>>;

/** @throws RtError unsupported: a field that is neither known, nor zero, nor harmless */
export function refuseOthers(
  document: object,
  known: ReadonlySet<string>,
  harmless: Harmless,
  path: string,
): void {
  for (const [name, value] of Object.entries(document)) {
    if (known.has(name)) continue;
    const isFine = Object.hasOwn(harmless, name) ? harmless[name]!(value) : isZero(value);
    if (!isFine) throw unsupported(path ? `${path}.${name}` : name, value);
  }
}

/**
 * Docker's fields that rt has nothing for. What neither knows is no wish of anybody's, and ignored, as Docker does.
 * @param fields what of each is nothing wished
 * @throws RtError unsupported: one of them is neither zero nor that
 */
export function refuseUnavailable(document: object, fields: Harmless, path: string): void {
  for (const [name, isFine] of Object.entries(fields)) {
    const value: unknown = Object.hasOwn(document, name) ? Reflect.get(document, name) : undefined;
    if (!isZero(value) && !isFine(value)) throw unsupported(path ? `${path}.${name}` : name, value);
  }
}

export function unsupported(path: string, value: unknown): RtError {
  const text = JSON.stringify(value);
  const shown = text.length > 100 ? `${text.slice(0, 97)}...` : text;
  return new RtError("unsupported", `${path} ${shown} is not there yet: it comes in a later version`);
}

/** The document as `shape` has it. @throws RtError invalid-argument that names the field */
export function read<T>(shape: Shape<T>, document: unknown, what: string): T {
  try {
    return shape(document, "");
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new RtError("invalid-argument", `invalid ${what}: ${error.message}`, { cause: error });
  }
}
