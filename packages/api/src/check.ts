import { z } from 'zod';

/** A field that a schema does not allow. */
export interface WrongField {
  /** For example `capacity.maxCpu`. */
  readonly field: string;
  /** Completes "must be …". */
  readonly expected: string;
  /** The value, short, as JSON; `undefined` where it is missing or a secret. */
  readonly got: string | undefined;
}

export type Checked<T> = { readonly value: T } | { readonly wrong: WrongField };

/** The fields of an object that a schema has, or the first that it does not allow. */
export function checkFields<Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
): Checked<z.infer<Schema>> {
  const crowded = crowdedField(schema, given);
  if (crowded !== undefined) return { wrong: describeWrong(schema, given, [crowded]) };
  const result = schema.safeParse(given);
  if (result.success) return { value: result.data };
  return { wrong: describeWrong(schema, given, result.error.issues[0]?.path ?? []) };
}

/** A record with more entries than its note allows: found without a look at each, which costs a sender little. */
function crowdedField(schema: z.ZodObject, given: unknown): string | undefined {
  const fields = (typeof given === 'object' && given !== null ? given : {}) as Record<string, unknown>;
  return Object.entries(schema.shape).find(([name, field]) => {
    const most = required(field as z.ZodType).meta()?.['maxProperties'];
    return typeof most === 'number' && hasMoreThan(most, fields[name]);
  })?.[0];
}

function hasMoreThan(most: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  let count = 0;
  for (const _name in value) if (++count > most) return true;
  return false;
}

/** A query, in which everything is a string, with numbers for the fields that are numbers. */
export function readQuery(
  schema: z.ZodObject,
  query: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const entries = Object.entries(schema.shape).flatMap(([name, field]): [string, unknown][] => {
    const value = Object.hasOwn(query, name) ? query[name] : undefined;
    if (value === undefined) return [];
    const isNumber = required(field as z.ZodType) instanceof z.ZodNumber;
    return [[name, isNumber && typeof value === 'string' && DIGITS.test(value) ? Number(value) : value]];
  });
  return Object.fromEntries(entries);
}

/** As many digits as a safe integer may have. */
const DIGITS = /^\d{1,16}$/;

function describeWrong(schema: z.ZodType, given: unknown, path: readonly PropertyKey[]): WrongField {
  let field = schema;
  let value = given;
  let isSecret = false;
  const names: string[] = [];
  for (const name of path.map(String)) {
    // A record is described as a whole.
    if (!(field instanceof z.ZodObject) || !(name in field.shape)) break;
    const inner = field.shape[name] as z.ZodType;
    field = required(inner);
    isSecret ||= noteOf(inner, 'secret') === true || noteOf(field, 'secret') === true;
    value = (value as Record<string, unknown> | null | undefined)?.[name];
    names.push(name);
  }
  const isShown = value !== undefined && value !== null && !isSecret;
  return {
    field: names.join('.'),
    expected: expectedBy(field),
    got: isShown ? describeValue(value) : undefined,
  };
}

/** The schema of a field without what makes it optional. */
function required(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable)
    inner = inner.unwrap() as z.ZodType;
  return inner;
}

const noteOf = (schema: z.ZodType, name: 'expected' | 'secret'): unknown => schema.meta()?.[name];

/** What a schema's note says, or else what follows from its limits. */
function expectedBy(schema: z.ZodType): string {
  const note = noteOf(schema, 'expected');
  if (typeof note === 'string') return note;
  const { type, enum: values, minLength, maxLength, minimum, maximum } = limitsOf(schema);
  if (values) return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
  switch (type) {
    case 'string':
      return maxLength === undefined
        ? 'a string'
        : `a string of ${minLength ?? 0} to ${maxLength} characters`;
    case 'integer':
      return `an integer from ${minimum}${maximum === undefined ? '' : ` to ${maximum}`}`;
    case 'boolean':
      return 'true or false';
    default:
      return 'an object';
  }
}

interface Limits {
  readonly type?: unknown;
  readonly enum?: readonly unknown[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

const limitsOf = (schema: z.ZodType): Limits => {
  const { maximum, ...rest } = z.toJSONSchema(schema, { io: 'input' }) as Limits;
  return maximum === Number.MAX_SAFE_INTEGER ? rest : { ...rest, ...(maximum !== undefined && { maximum }) };
};

const SHOWN_CHARS = 80;

/** Objects and arrays can be nested deeper than they can be written. */
function describeValue(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return (JSON.stringify(value) ?? String(value)).slice(0, SHOWN_CHARS);
}
