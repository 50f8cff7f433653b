import { z } from 'zod';
import { NAMED_SCHEMAS, type SchemaName } from './schemas/named.js';

/** A JSON Schema (2020-12), as far as the API's schemas use it. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly [keyword: string]: unknown;
}

const REFERENCE = '#/components/schemas/';
const NAMES = new Map<z.ZodType, SchemaName>(
  Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [schema, name as SchemaName]),
);

/** Every schema of {@link NAMED_SCHEMAS}; they refer to each other by `#/components/schemas/…`. */
export function namedJsonSchemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of NAMES) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${REFERENCE}${id}`, io: 'input' });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, tidied(schema as JsonSchema)]),
  );
}

/** A schema, or a reference where it has a name. */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const name = NAMES.get(schema);
  if (name) return { $ref: `${REFERENCE}${name}` };
  if (schema instanceof z.ZodArray)
    return { type: 'array', items: jsonSchemaOf(schema.element as z.ZodType, io) };
  return tidied(z.toJSONSchema(schema, { io }) as JsonSchema);
}

/** Drops keywords that carry no information, and notes for error messages. */
function tidied(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] => {
    if (['$schema', '$id', 'expected'].includes(keyword)) return [];
    if (keyword === 'secret') return [['format', 'password']];
    if (keyword === 'pattern' && schema['format'] === 'date-time') return [];
    if (keyword === 'additionalProperties' && value === false) return [];
    if (keyword === 'minimum' && value === Number.MIN_SAFE_INTEGER) return [];
    if (keyword === 'maximum' && value === Number.MAX_SAFE_INTEGER) return [];
    return [[keyword, tidiedValue(keyword, value)]];
  });
  return Object.fromEntries(entries);
}

function tidiedValue(keyword: string, value: unknown): unknown {
  if (keyword === 'properties')
    return Object.fromEntries(
      Object.entries(value as Record<string, JsonSchema>).map(([name, one]) => [name, tidied(one)]),
    );
  if (Array.isArray(value)) return value.map((one: unknown) => (isSchema(one) ? tidied(one) : one));
  return isSchema(value) ? tidied(value) : value;
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
