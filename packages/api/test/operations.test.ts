import { describe, expect, it } from 'vitest';
import { API_ERRORS, errorsOf, OPERATIONS, type Operation, type OperationId } from '../src/index.js';
import { SCHEMAS, type OperationSchemas } from '../src/schemas.js';

const ids = Object.keys(OPERATIONS) as OperationId[];
const operationOf = (id: OperationId): Operation => OPERATIONS[id];
const schemasOf = (id: OperationId): OperationSchemas => SCHEMAS[id];

describe('the table of operations', () => {
  it('has each method and path once', () => {
    const endpoints = ids.map((id) => `${operationOf(id).method} ${operationOf(id).path}`);
    expect(endpoints).toEqual([...new Set(endpoints)]);
  });

  it('has the same operations as the schemas', () => {
    expect(Object.keys(SCHEMAS).sort()).toEqual([...ids].sort());
  });

  it.each(ids)('%s has a schema for each parameter of its path, and no others', (id) => {
    const inPath = [...operationOf(id).path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(Object.keys(schemasOf(id).params.shape)).toEqual(inPath);
  });

  it.each(ids)('%s names the error of a wrong field where it has fields', (id) => {
    const { params, query, body } = schemasOf(id);
    const hasFields = [params, query, body].some((schema) => Object.keys(schema?.shape ?? {}).length > 0);
    expect(errorsOf(id).includes('invalid_field')).toBe(hasFields && operationOf(id).upgrade === undefined);
  });

  it.each(ids)('%s has a body only where its method has one, and none with 101 and 204', (id) => {
    const { method, success } = operationOf(id);
    const { body, reply } = schemasOf(id);
    if (method === 'GET' || method === 'DELETE') expect(body).toBeNull();
    expect(reply === null).toBe(success.some((status) => status === 101 || status === 204));
  });

  it.each(ids)('%s lists each code once, and only codes that exist', (id) => {
    const codes = errorsOf(id);
    expect(codes).toEqual([...new Set(codes)]);
    for (const code of codes) expect(API_ERRORS).toHaveProperty(code);
  });

  it.each(ids)('%s gives API tokens a scope only where a user may call it', (id) => {
    const { auth, scope } = operationOf(id);
    expect(scope !== null).toBe(auth === 'user' || auth === 'admin');
    expect(scope === 'admin').toBe(auth === 'admin');
  });
});
