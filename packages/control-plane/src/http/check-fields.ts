import { checkFields, readQuery, type Checked, type OperationSchemas } from '@streamspace/api/schemas';
import { Refusal } from '../domain/errors.js';

type ObjectSchema = OperationSchemas['params'];

/** @throws Refusal `invalid_field`: which field, what is allowed, what it was */
export function requireFields(schema: ObjectSchema, given: unknown): unknown {
  const checked: Checked<unknown> = checkFields(schema, given);
  if ('value' in checked) return checked.value;
  const { field, expected, got } = checked.wrong;
  throw new Refusal(
    'invalid_field',
    `${field} must be ${expected}${got === undefined ? '' : `; got ${got}`}.`,
  );
}

/** @throws Refusal `invalid_field` */
export const requireQuery = (schema: ObjectSchema, query: Readonly<Record<string, unknown>>): unknown =>
  requireFields(schema, readQuery(schema, query));

/** @throws Refusal `bad_request` where it is not an object, `invalid_field` */
export function requireBody(schema: ObjectSchema, body: unknown): unknown {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return requireFields(schema, body);
  throw new Refusal(
    'bad_request',
    'The body must be a JSON object, sent with Content-Type: application/json.',
  );
}
