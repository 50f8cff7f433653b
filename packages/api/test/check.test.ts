import { describe, expect, it } from 'vitest';
import { checkFields, readQuery, SCHEMAS } from '../src/schemas.js';

const wrongOf = (id: 'createSession' | 'completeSetup' | 'registerAgent' | 'createTicket', body: unknown) => {
  const checked = checkFields(SCHEMAS[id].body, body);
  return 'wrong' in checked ? checked.wrong : undefined;
};

describe('checkFields', () => {
  it('returns the fields that the schema has, and drops others', () => {
    expect(checkFields(SCHEMAS.createTicket.body, { mode: 'view', more: 1 })).toEqual({
      value: { mode: 'view' },
    });
  });

  it.each([
    ['createTicket', { mode: 'both' }, 'mode', 'one of control, view', '"both"'],
    ['createTicket', {}, 'mode', 'one of control, view', undefined],
    ['createSession', { template: 7 }, 'template', 'a string of 1 to 200 characters', '7'],
    [
      'createSession',
      { template: 'x'.repeat(201) },
      'template',
      'a string of 1 to 200 characters',
      `"${'x'.repeat(79)}`,
    ],
    ['createSession', { template: 'x', waitForCapacity: 'yes' }, 'waitForCapacity', 'true or false', '"yes"'],
    ['createSession', { template: 'x', state: 'hibernated' }, 'state', 'running', '"hibernated"'],
    [
      'createSession',
      { template: 'x', id: 'Web' },
      'id',
      '1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end',
      '"Web"',
    ],
    [
      'createSession',
      { template: 'x', labels: { gpu: 1 } },
      'labels',
      'up to 20 names with strings, each of up to 253 characters',
      'an object',
    ],
    [
      'completeSetup',
      { token: 't', username: 'ann', password: 'short' },
      'password',
      'a string of 10 to 1024 characters',
      undefined,
    ],
    [
      'completeSetup',
      { token: '', username: 'ann', password: 'long enough' },
      'token',
      'a string of 1 to 200 characters',
      undefined,
    ],
    ['registerAgent', { agentId: 'a', platform: 'p', metadata: [] }, 'metadata', 'an object', 'an array'],
    [
      'registerAgent',
      { agentId: 'a', platform: 'p', capacity: { maxSessions: 1.5 } },
      'capacity.maxSessions',
      'an integer from 0',
      '1.5',
    ],
    [
      'registerAgent',
      { agentId: 'a', platform: 'p', capacity: { maxCpu: -1 } },
      'capacity.maxCpu',
      'a number from 0',
      '-1',
    ],
  ] as const)('of %s names the field in %j', (id, body, field, expected, got) => {
    expect(wrongOf(id, body)).toEqual({ field, expected, got });
  });

  it('takes null for a field that may be left out', () => {
    expect(wrongOf('createSession', { template: 'x', region: null, labels: null, id: null })).toBeUndefined();
  });

  it('takes 20 labels, and not 21', () => {
    const labels = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`l${n}`, 'x']));
    expect(wrongOf('createSession', { template: 'x', labels: labels(20) })).toBeUndefined();
    expect(wrongOf('createSession', { template: 'x', labels: labels(21) })?.field).toBe('labels');
  });
});

describe('a record with too many entries', () => {
  it('is refused before its entries are looked at', () => {
    let looked = 0;
    const labels: Record<string, unknown> = {};
    for (let n = 0; n < 100; n++)
      Object.defineProperty(labels, `l${n}`, { enumerable: true, get: () => (looked += 1) });
    expect(wrongOf('createSession', { template: 'x', labels })?.field).toBe('labels');
    expect(looked).toBe(0);
  });
});

describe('readQuery', () => {
  const { query } = SCHEMAS.listAudit;

  it('reads integers, and leaves what the schema does not have', () => {
    expect(readQuery(query, { limit: '10', before: '7', more: 'x' })).toEqual({ limit: 10, before: 7 });
    expect(readQuery(query, {})).toEqual({});
  });

  it.each(['', '-1', '1.5', '1e3', ' 1', '12345678901234567', ['1', '2'], { a: '1' }])(
    'refuses %j as a limit',
    (limit) => {
      expect(checkFields(query, readQuery(query, { limit }))).toMatchObject({
        wrong: { field: 'limit', expected: 'an integer from 1 to 1000' },
      });
    },
  );
});
