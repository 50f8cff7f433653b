import type { JsonSchema } from '@streamspace/api/openapi';
import fc from 'fast-check';

type Named = Readonly<Record<string, JsonSchema>>;

/** Values that a schema allows, and sometimes one in which something is wrong. */
export function arbitraryOf(schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 8, arbitrary: allowed(schema, named) }, { weight: 1, arbitrary: fc.jsonValue() });
}

function allowed(schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  const name = schema.$ref?.split('/').at(-1);
  if (name !== undefined) return arbitraryOf(named[name]!, named);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => arbitraryOf(one, named)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const types = Array.isArray(schema.type) ? (schema.type as string[]) : [schema.type];
  return fc.oneof(...types.map((type) => ofType(String(type), schema, named)));
}

function ofType(type: string, schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  const limit = (keyword: string, otherwise: number): number => Number(schema[keyword] ?? otherwise);
  switch (type) {
    case 'string':
      return fc.oneof(
        fc.string({
          minLength: limit('minLength', 0),
          maxLength: Math.min(limit('maxLength', 30), 30),
          unit: 'binary',
        }),
        fc.string({ maxLength: limit('maxLength', 30) + 1 }),
        fc.constantFrom('desk', 'ann', 'web-1', '', '\0', '\ud800', '../..', "' or 1=1 --"),
      );
    case 'integer':
      return fc.oneof(fc.integer(), fc.integer({ min: limit('minimum', 0), max: limit('maximum', 1_000) }));
    case 'number':
      return fc.oneof(fc.double(), fc.maxSafeInteger());
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'object':
      return schema.properties
        ? ofFields(schema, named)
        : fc.dictionary(fc.string({ maxLength: 20 }), fc.string());
    default:
      return fc.jsonValue();
  }
}

function ofFields(schema: JsonSchema, named: Named): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, field]) => [name, arbitraryOf(field, named)] as const,
  );
  return fc.record(Object.fromEntries(fields), { requiredKeys: [...(schema.required ?? [])] });
}
