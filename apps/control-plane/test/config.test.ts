import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.js';
import { parseDuration } from '../src/duration.js';

const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const read = (env: Record<string, string>) => readConfig(env, '/srv/desk');

describe('without any variable', () => {
  it('is embedded, on this machine only, with a folder of its own', () => {
    const config = read({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      dataFolder: '/srv/desk/.streamspace',
      externalDatabase: undefined,
      jwtSecret: undefined,
      agentKeySecret: undefined,
      logLevel: 'info',
      heartbeatTimeoutMs: 30_000,
      vncIdleTimeoutMs: 300_000,
      viewersPerSession: 32,
      allowedOrigins: [],
      site: {},
      capacityWaitMs: 300_000,
      maxSessionsPerUser: 0,
      unisolatedAgents: 'admins',
      retention: { commandsDays: 7, eventsDays: 30, auditDays: 365 },
      minFreeSpaceBytes: 256 * 2 ** 20,
    });
    expect(config.podName).not.toBe('');
  });

  it('counts empty variables as absent', () => {
    expect(read({ PORT: '', DB_HOST: '', JWT_SECRET: '', LOG_LEVEL: '' })).toEqual(read({}));
  });
});

describe('with DB_HOST', () => {
  it('takes the server from the DB_ variables and listens everywhere', () => {
    const env = { DB_HOST: 'db', DB_USER: 'desk', DB_PASSWORD: 'p', JWT_SECRET: SECRET };
    expect(read(env)).toMatchObject({
      host: '0.0.0.0',
      jwtSecret: SECRET,
      externalDatabase: {
        host: 'db',
        port: 5432,
        name: 'streamspace',
        user: 'desk',
        password: 'p',
        maxConnections: 25,
        minConnections: 5,
        connectionLifetimeMs: 300_000,
        prepareStatements: false,
      },
    });
  });

  it('has statements prepared where that is switched on, and says what is allowed', () => {
    const on = { DB_HOST: 'db', DB_USER: 'desk', JWT_SECRET: SECRET, STREAMSPACE_PREPARE_STATEMENTS: 'on' };
    expect(read(on).externalDatabase?.prepareStatements).toBe(true);
    expect(read({ ...on, STREAMSPACE_PREPARE_STATEMENTS: 'off' }).externalDatabase?.prepareStatements).toBe(
      false,
    );
    expect(() => read({ ...on, STREAMSPACE_PREPARE_STATEMENTS: 'yes' })).toThrow(
      'STREAMSPACE_PREPARE_STATEMENTS=yes: allowed are on and off',
    );
  });

  it('takes a secret for agent keys, so that the JWT secret can change', () => {
    const env = { DB_HOST: 'db', DB_USER: 'desk', JWT_SECRET: 'x'.repeat(32), AGENT_KEY_SECRET: SECRET };
    expect(read(env)).toMatchObject({ jwtSecret: env.JWT_SECRET, agentKeySecret: SECRET });
  });

  it('needs a secret and a user', () => {
    expect(() => read({ DB_HOST: 'db', DB_USER: 'desk' })).toThrow(
      /^JWT_SECRET=: missing; .*32 characters or more/,
    );
    expect(() => read({ DB_HOST: 'db', JWT_SECRET: SECRET })).toThrow(/^DB_USER=: missing/);
  });
});

describe('a value that is not allowed', () => {
  it.each([
    ['PORT', '99999', 'a whole number from 0 to 65535'],
    ['PORT', '8080a', 'a whole number'],
    ['HOST', 'a host', 'an address of this machine'],
    ['STREAMSPACE_UNISOLATED_AGENTS', 'all', 'admins and everyone'],
    ['STREAMSPACE_MAX_SESSIONS_PER_USER', '-1', 'a whole number from 0'],
    ['STREAMSPACE_EVENTS_DAYS', '0', 'a whole number from 1'],
    ['LOG_LEVEL', 'loud', 'debug, info, warn, error'],
    ['AGENT_HEARTBEAT_TIMEOUT', '30', 'a duration, of 3s or more, for example 30s'],
    ['AGENT_HEARTBEAT_TIMEOUT', '1s', 'of 3s or more'],
    ['VNC_PROXY_TIMEOUT', '-5m', 'a duration, for example 30s'],
    ['STREAMSPACE_ALLOWED_ORIGINS', 'https://a.example,desk', '"desk" is not an origin'],
    ['STREAMSPACE_ALLOWED_ORIGINS', 'https://a.example/x', 'is not an origin'],
    ['STREAMSPACE_ALLOWED_ORIGINS', 'https://a.example.', 'is not an origin'],
    ['STREAMSPACE_VIEWERS_PER_SESSION', '0', 'a whole number from 1'],
    ['PUBLIC_URL', 'desk.example', 'must be the address at which people open it'],
    [
      'PUBLIC_URL',
      'https://desk.example/?a=b',
      'for example https://desk.example or https://desk.example/vdi',
    ],
    ['TRUST_PROXY', 'true', 'would let each client choose the address'],
    ['TRUST_PROXY', '10.0.0.1,proxy', 'got "proxy"'],
    ['TRUST_PROXY', '0', 'the number of proxies from 1 to 32'],
    ['ALLOWED_HOSTS', 'https://desk.example', 'must be host names without scheme or port'],
    ['ALLOWED_HOSTS', '*', 'such as desk.example, or *.desk.example'],
    ['POD_NAME', 'a b', '1 to 253 visible ASCII characters'],
  ])('%s=%s is refused by name, with what is allowed', (name, value, allowed) => {
    expect(() => read({ [name]: value })).toThrow(`${name}=${value}: `);
    expect(() => read({ [name]: value })).toThrow(allowed);
  });

  it('does not stop a start with addresses, proxies and names that are allowed', () => {
    const env = {
      PUBLIC_URL: 'https://desk.example/vdi/',
      TRUST_PROXY: 'loopback, 10.0.0.0/8',
      ALLOWED_HOSTS: 'desk, *.desk.example',
    };
    expect(read(env).site).toEqual({
      publicUrl: 'https://desk.example/vdi/',
      trustProxy: 'loopback, 10.0.0.0/8',
      hosts: 'desk, *.desk.example',
    });
  });

  it('is not shown when it is a secret', () => {
    for (const name of ['JWT_SECRET', 'AGENT_KEY_SECRET'])
      expect(() => read({ [name]: 'tooshort' })).toThrow(`${name}=(not shown): 8 characters long`);
  });
});

describe('a duration', () => {
  it.each([
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['0', 0],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '5', 's', '5 m', '1d', '-1s', '9999999h'])('"%s" is none', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );
});
