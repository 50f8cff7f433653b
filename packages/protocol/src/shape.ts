import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';
import { isPortable } from './text.js';

/**
 * A reader of untrusted JSON: returns the value with its type, or throws `malformed_message` naming the path.
 * Unknown fields are left out of what it returns (forward compatibility).
 */
export type Shape<T> = (value: unknown, path: string) => T;

/** The type that a shape reads. */
export type Infer<S> = S extends Shape<infer T> ? T : never;

function fail(path: string, allowed: string): never {
  throw new ProtocolError('malformed_message', `${path} must be ${allowed}`);
}

/** A string of `min` to `max` characters. */
export const text =
  (max: number = LIMITS.textChars, min = 0): Shape<string> =>
  (value, path) =>
    typeof value === 'string' && value.length >= min && value.length <= max
      ? value
      : fail(path, `a string of ${min} to ${max} characters`);

/** A string of `min` to `max` characters that any database and any language can hold: things are found by it. */
export const name = (max: number, min: number): Shape<string> => {
  const read = text(max, min);
  return (value, path) => {
    const found = read(value, path);
    return isPortable(found) ? found : fail(path, 'a string without NUL and without lone surrogates');
  };
};

/** A non-empty identifier. */
export const id: Shape<string> = name(LIMITS.idChars, 1);

/** JSON can say -0, which is 0 here. */
const unsigned = (value: number): number => (value === 0 ? 0 : value);

/** A whole number from 0 (or `min`) to 2^53 − 1. */
export const count =
  (min = 0): Shape<number> =>
  (value, path) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min
      ? unsigned(value)
      : fail(path, `a whole number from ${min} to 2^53 - 1`);

/** A finite number of at least 0. */
export const amount: Shape<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? unsigned(value)
    : fail(path, 'a number of at least 0');

export const flag: Shape<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : fail(path, 'true or false');

/** One of the given strings. */
export const oneOf =
  <const T extends string>(...allowed: readonly T[]): Shape<T> =>
  (value, path) =>
    allowed.includes(value as T) ? (value as T) : fail(path, `one of ${allowed.join(', ')}`);

/** A list of at most `LIMITS.listEntries` entries. */
export const list =
  <T>(entry: Shape<T>): Shape<T[]> =>
  (value, path) => {
    if (!Array.isArray(value) || value.length > LIMITS.listEntries)
      fail(path, `a list of at most ${LIMITS.listEntries} entries`);
    return (value as unknown[]).map((item, index) => entry(item, `${path}[${index}]`));
  };

const record: Shape<Record<string, unknown>> = (value, path) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : fail(path, 'an object');

/** Any JSON object of at most `LIMITS.jsonDepth` levels, kept as it is. */
export const json: Shape<Record<string, unknown>> = (value, path) => {
  const source = record(value, path);
  if (!isShallow(source, LIMITS.jsonDepth)) fail(path, `nested at most ${LIMITS.jsonDepth} levels deep`);
  return source;
};

/** Whether objects and lists in `value` are nested at most `levels` deep. Recurses no deeper than that. */
function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1));
}

const OPTIONAL = Symbol('optional');
type OptionalShape<T> = Shape<T | undefined> & { [OPTIONAL]: true };

/** A field that may be absent; `null` counts as absent. */
export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  const read: Shape<T | undefined> = (value, path) =>
    value === undefined || value === null ? undefined : shape(value, path);
  return Object.assign(read, { [OPTIONAL]: true as const });
}

type Fields = Record<string, Shape<unknown>>;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends { [OPTIONAL]: true } ? K : never;
}[keyof F];
type Read<F extends Fields> = {
  [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]>;
} & { [K in OptionalKeys<F>]?: Exclude<Infer<F[K]>, undefined> };
type Flat<T> = { [K in keyof T]: T[K] };

/** An object with the given fields. */
export const object =
  <F extends Fields>(fields: F): Shape<Flat<Read<F>>> =>
  (value, path) => {
    const source = record(value, path);
    const result: Record<string, unknown> = {};
    for (const [name, shape] of Object.entries(fields)) {
      const own = Object.hasOwn(source, name) ? source[name] : undefined;
      const read = shape(own, `${path}.${name}`);
      if (read !== undefined) result[name] = read;
    }
    return result as Flat<Read<F>>;
  };
