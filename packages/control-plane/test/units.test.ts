import type { IncomingMessage } from 'node:http';
import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { AccessTokens } from '../src/auth/access-tokens.js';
import { Passwords } from '../src/auth/passwords.js';
import { SessionWaits } from '../src/domain/session-waits.js';
import { isOriginAllowed } from '../src/http/origin.js';
import { inWords } from '../src/http/viewer-end.js';
import { targetOf } from '../src/http/upgrades.js';
import { createControlPlane, type Database } from '../src/index.js';
import { toDatabaseError } from '../src/stores/database-error.js';

const SECRET = 'x'.repeat(32);

describe('options', () => {
  const database = {
    query: async () => undefined,
    transaction: async () => undefined,
  } as unknown as Database;
  const good = { database, podName: 'pod', jwtSecret: SECRET };

  it.each([
    [{ jwtSecret: 'short' }, /jwtSecret must be a text of at least 32 characters, not one of 5/],
    [{ agentKeySecret: 'short' }, /agentKeySecret/],
    [{ podName: '' }, /podName must be a text of 1 to 253 characters, not ""/],
    [{ vncIdleTimeoutMs: -1 }, /vncIdleTimeoutMs must be a whole number of ms from 0 to 2147483647, not -1/],
    [
      { allowedOrigins: ['https://desk.example/path'] },
      /allowedOrigins must be .* not "https:\/\/desk.example\/path"/,
    ],
    [{ allowedOrigins: ['ftp://desk.example'] }, /allowedOrigins must be origins of http or https/],
    [{ allowedOrigins: ['https://desk.example.'] }, /allowedOrigins must be/],
    [{ viewersPerSession: 0 }, /viewersPerSession must be a whole number from 1 to 2147483647, not 0/],
    [{ viewerAgentWaitMs: -1 }, /viewerAgentWaitMs must be a whole number of ms from 0/],
    [{ maxSessionsPerUser: -1 }, /maxSessionsPerUser must be a whole number from 0 to 2147483647, not -1/],
    [{ retention: { auditDays: 0 } }, /retention\.auditDays must be a whole number from 1/],
    [
      { unisolatedAgents: 'nobody' as unknown as 'admins' },
      /unisolatedAgents must be "admins" or "everyone", not "nobody"/,
    ],
    [{ templates: [{ name: 'Not A Label' }] }, /templates\[\]\.name must be .* not "Not A Label"/],
    [{ pageUrl: '/desk' as unknown as () => string }, /pageUrl must be a function .* not "\/desk"/],
    [{ database: undefined as unknown as Database }, /database must be a Database/],
  ])('are refused by name, value and what is allowed: %j', async (wrong, message) => {
    const failed = createControlPlane({ ...good, ...wrong });
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toMatchObject({ code: 'invalid_option' });
  });

  it('do not show a secret', async () => {
    await expect(createControlPlane({ ...good, jwtSecret: 'hunter2' })).rejects.not.toThrow(/hunter2/);
  });
});

describe('the package', () => {
  it('exports these names and no others', async () => {
    const names = async (module: Promise<object>) => Object.keys(await module).sort();
    expect(await names(import('../src/index.js'))).toEqual([
      'ControlPlaneError',
      'DatabaseError',
      'createControlPlane',
      'siteProblems',
    ]);
    expect(await names(import('../src/pg/index.js'))).toEqual(['pgDatabase']);
    expect(await names(import('../src/pglite/index.js'))).toEqual(['pgliteDatabase']);
    expect(await names(import('../src/testing/index.js'))).toEqual([
      'databaseSuite',
      'openFixtures',
      'storesSuite',
    ]);
  });
});

describe('access tokens', () => {
  const tokens = new AccessTokens(SECRET);
  const user = { id: 'u', username: 'ann', role: 'admin' } as const;

  it('name user and role, for 15 minutes', () => {
    const { token, expiresAt } = tokens.issue(user, 'l');
    expect(tokens.verify(token)).toEqual({ userId: 'u', role: 'admin', sid: 'l' });
    expect(expiresAt.getTime() - Date.now()).toBeLessThanOrEqual(15 * 60_000);
  });

  it.each([
    ['another secret', jwt.sign({ role: 'admin' }, 'y'.repeat(32), { subject: 'u' })],
    [
      'another algorithm',
      jwt.sign({ role: 'admin' }, SECRET, {
        algorithm: 'HS512',
        subject: 'u',
        issuer: 'streamspace',
        audience: 'streamspace-api',
      }),
    ],
    [
      'no algorithm',
      jwt.sign({ role: 'admin' }, '', {
        algorithm: 'none',
        subject: 'u',
        issuer: 'streamspace',
        audience: 'streamspace-api',
      }),
    ],
    [
      'another audience',
      jwt.sign({ role: 'admin' }, SECRET, { subject: 'u', issuer: 'streamspace', audience: 'x' }),
    ],
    [
      'an age',
      jwt.sign({ role: 'admin' }, SECRET, {
        subject: 'u',
        issuer: 'streamspace',
        audience: 'streamspace-api',
        expiresIn: -60,
      }),
    ],
    [
      'an unknown role',
      jwt.sign({ role: 'root' }, SECRET, {
        subject: 'u',
        issuer: 'streamspace',
        audience: 'streamspace-api',
      }),
    ],
    ['no form', 'abc'],
  ])('of %s are refused', (_name, token) => {
    expect(() => tokens.verify(token)).toThrow(expect.objectContaining({ code: 'not_logged_in' }));
  });
});

describe('passwords', () => {
  it('are told apart, and nobody’s is never right', async () => {
    const asker = { group: '192.0.2.1', isKnown: false };
    const passwords = new Passwords();
    const stored = await passwords.hash('correct horse', asker);
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await passwords.verify(stored, 'correct horse', asker)).toBe(true);
    expect(await passwords.verify(stored, 'wrong horse', asker)).toBe(false);
    expect(await passwords.verify(undefined, 'correct horse', asker)).toBe(false);
  });
});

describe('an upgrade', () => {
  const from = (origin: string | undefined, host: string, encrypted = false) =>
    isOriginAllowed({ headers: { ...(origin && { origin }), host } } as unknown as IncomingMessage, {
      publicOrigin: undefined,
      allowedOrigins: new Set(['https://ok.example']),
      client: {
        address: '192.0.2.1',
        scheme: encrypted ? 'https' : 'http',
        isSchemeKnown: encrypted,
      },
    });

  it('may come from the same host, from an allowed origin, or from no browser', () => {
    expect(from('http://desk.example:8000', 'desk.example:8000')).toBe(true);
    expect(from('https://desk.example', 'desk.example:443')).toBe(true);
    expect(from('https://ok.example', 'desk.example')).toBe(true);
    expect(from(undefined, 'desk.example')).toBe(true);
  });

  it('may not come from elsewhere', () => {
    expect(from('https://evil.example', 'desk.example')).toBe(false);
    expect(from('http://desk.example:8001', 'desk.example:8000')).toBe(false);
    expect(from('null', 'desk.example')).toBe(false);
  });

  it.each([
    'ftp://desk.example',
    'foo://desk.example',
    'ws://desk.example',
    'http://desk.example/',
    'http://desk.example/page',
    'http://ann@desk.example',
    'http://DESK.example',
    'http://desk.example.',
  ])('may not come from what is no origin of a page: %s', (origin) => {
    expect(from(origin, 'desk.example')).toBe(false);
    expect(from(origin, 'desk.example.')).toBe(false);
  });

  it('may come by http or https where a proxy may be in front, and by https only where TLS ends here', () => {
    expect(from('https://desk.example', 'desk.example')).toBe(true);
    expect(from('http://desk.example', 'desk.example')).toBe(true);
    expect(from('https://desk.example', 'desk.example', true)).toBe(true);
    expect(from('http://desk.example', 'desk.example', true)).toBe(false);
  });

  it('is found under the path where the router is mounted, and nowhere else', () => {
    expect(targetOf('/vdi/vnc/s-1?ticket=t', '/vdi')).toEqual({
      kind: 'viewer',
      sessionId: 's-1',
      ticket: 't',
    });
    expect(targetOf('/api/v1/vnc/s-1', '')).toEqual({ kind: 'viewer', sessionId: 's-1', ticket: null });
    expect(targetOf('/api/v1/agents/connect?agent_id=a', '')).toEqual({ kind: 'agent', agentId: 'a' });
    expect(targetOf('/api/v1/vnc/s-1', '/vdi')).toBeUndefined();
    expect(targetOf('/vnc/a/b', '')).toBeUndefined();
    expect(targetOf('/vnc/%zz', '')).toBeUndefined();
  });
});

describe('a duration', () => {
  it.each([
    [0, '1 second'],
    [400, '1 second'],
    [20_000, '20 seconds'],
    [60_000, '1 minute'],
    [90_000, '90 seconds'],
    [300_000, '5 minutes'],
  ])('of %d ms is told to people as %s', (ms, words) => expect(inWords(ms)).toBe(words));
});

describe('waiting for a session', () => {
  const look = (state: string) => async () => ({ state }) as never;
  const running = (found: { state: string } | undefined) => found?.state === 'running';

  it('ends with a change in this process at once', async () => {
    const waits = new SessionWaits();
    let state = 'pending';
    const waiting = waits.until('s', () => look(state)(), running, {
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    await Promise.resolve();
    state = 'running';
    waits.changed('s');
    expect(await waiting).toEqual({ state: 'running' });
  });

  it('ends with its time and with its signal', async () => {
    const waits = new SessionWaits();
    const { signal } = new AbortController();
    expect(await waits.until('s', look('pending'), running, { timeoutMs: 20, signal })).toEqual({
      state: 'pending',
    });
    const stop = new AbortController();
    const waiting = waits.until('s', look('pending'), running, { timeoutMs: 10_000, signal: stop.signal });
    stop.abort(new Error('left'));
    await expect(waiting).rejects.toThrow('left');
  });
});

describe('what a driver throws', () => {
  it.each([
    [{ code: '23505', constraint: 'x_key', message: 'duplicate' }, 'constraint', false],
    [{ code: '40P01', message: 'deadlock' }, 'conflict', true],
    [{ code: '57014', message: 'canceling statement' }, 'timeout', true],
    [{ code: '57P01', message: 'terminating connection' }, 'unavailable', true],
    [{ code: '53300', message: 'too many connections' }, 'unavailable', true],
    [{ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' }, 'unavailable', true],
    [{ code: 'EPIPE', message: 'write EPIPE' }, 'unavailable', true],
    [new Error('Connection terminated unexpectedly'), 'unavailable', true],
    [{ code: '22021', message: 'invalid byte sequence' }, 'invalid_value', false],
    [{ code: '42601', message: 'syntax error' }, 'internal', false],
  ])('gets a stable code: %j', (thrown, code, shouldRetry) => {
    expect(toDatabaseError(thrown)).toMatchObject({ code, shouldRetry });
  });
});
