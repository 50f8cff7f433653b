import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../src/index.js';
import { openApiDocument } from '../src/openapi.js';

describe('the OpenAPI document', () => {
  const document = openApiDocument({ server: '/vdi' });

  it('is valid OpenAPI 3.1, and each of its references leads somewhere', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document) as unknown as Record<string, unknown>);
    expect(result).toMatchObject({ valid: true });
    expect(validator.version).toBe('3.1');
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  it('has every operation', () => {
    const found = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((one) => (one as { operationId: string }).operationId),
    );
    expect(found.sort()).toEqual(Object.keys(OPERATIONS).sort());
  });

  it('has the version of the package, and the server of its option', () => {
    const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    expect(document.info.version).toBe((JSON.parse(manifest) as { version: string }).version);
    expect(document.servers).toEqual([{ url: '/vdi' }]);
    expect(openApiDocument().servers).toEqual([{ url: '/' }]);
  });

  it('has none of the notes that are for the server’s messages', () => {
    expect(JSON.stringify(document)).not.toMatch(/"(expected|secret|\$id|\$schema)":/);
  });
});
