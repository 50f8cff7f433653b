import { setTimeout as sleep } from 'node:timers/promises';
import { pgDatabase } from '@streamspace/control-plane/pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { check } from './checker.js';
import { collect, unsettled } from './processes/collect.js';
import { startDeafProxy, type DeafProxy } from './support/deaf-proxy.js';
import { requirePgBouncer, startPgBouncer, type PgBouncer } from '../servers/pgbouncer.js';
import { openPlane } from './support/plane.js';
import { PlaneLoad } from './support/plane-load.js';
import { requirePostgres, startPostgres, type Postgres } from '../servers/postgres.js';
import { refusal, restart, standstill, type Fault } from './support/postgres-faults.js';
import { until } from './support/until.js';

const binaries = await requirePostgres();
const program = requirePgBouncer();

/** Longer than an agent may be silent before it counts as offline, and than a command may go unacknowledged, in ms. */
const OUTAGE_MS = 5_000;
/** What requests may take once the database is back, in ms. */
const RECOVERY_MS = 2_000;

/** By when everything that was accepted has come to an end, in ms. What has not by then is for the checker to name. */
const REST_MS = 30_000;

const FAULTS: readonly { readonly name: string; readonly of: (server: Postgres) => Fault }[] = [
  { name: 'is restarted', of: restart },
  { name: 'stands still', of: standstill },
  { name: 'refuses connections', of: refusal },
];

/** The statement that hands commands out: who does not hear its answer must not take them for sent. */
const HANDING_OUT = /sent_epoch = /;

/** One run under load: the fault, its end, and everything that must hold after it. */
async function run(fault: Fault, server: Postgres, place: { host: string; port: number }): Promise<void> {
  const name = await server.createDatabase();
  await using database = await pgDatabase({
    ...place,
    user: server.user,
    database: name,
    maxConnections: 6,
    connectTimeoutMs: 1_000,
    statementTimeoutMs: 1_000,
  });
  await using plane = await openPlane(database);
  const before = plane.epochs();
  const load = new PlaneLoad(plane);
  await until(
    () => load.promised.length >= 20,
    10_000,
    () => `only ${load.promised.length} requests were answered with yes`,
  );

  await fault.begin();
  try {
    await sleep(OUTAGE_MS);
  } finally {
    await fault.end();
  }
  const backAt = performance.now();
  const promisedBefore = load.promised.length;
  await until(
    () => load.promised.length > promisedBefore,
    RECOVERY_MS,
    () => `no request was answered with yes; the last: ${JSON.stringify(load.answers.at(-1))}`,
  );
  expect(load.lastYesAt - backAt).toBeLessThan(RECOVERY_MS);
  await load.end();

  const refused = load.answers.filter(({ status }) => status >= 300);
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, retryAfter, body } of refused) {
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'database_unavailable' });
    expect(Number(retryAfter)).toBeGreaterThan(0);
  }
  expect(plane.events.filter(({ type }) => type === 'agent_offline')).toEqual([]);
  expect(plane.epochs()).toEqual(before);
  await until(
    async () => {
      const { commands, sessions } = await unsettled(database, load.promised);
      return commands + sessions === 0;
    },
    REST_MS,
    () => 'not everything that was accepted is done',
  ).catch(() => undefined);
  const { effects } = plane;
  const history = await collect(database, { promised: load.promised, effects, held: await plane.held() });
  expect(check(history)).toEqual([]);
}

describe.runIf(binaries)('a control plane whose database', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres(binaries!);
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose](), 30_000);

  it('changes what it said of a command is found out, whatever it says in the end', async () => {
    const name = await server.createDatabase();
    const { host, port, user } = server;
    await using database = await pgDatabase({ host, port, user, database: name });
    await using plane = await openPlane(database);
    expect((await plane.request('POST', '/sessions', { id: 'one', template: 'desk' })).status).toBe(201);
    const promised = [{ kind: 'requested', sessionId: 'one', wanted: 'running' }] as const;
    await until(
      async () => (await unsettled(database, promised)).commands === 0,
      REST_MS,
      () => 'the session does not run',
    );
    const found = async () => {
      const { effects } = plane;
      return check(await collect(database, { promised, effects, held: await plane.held() }));
    };
    expect(await found()).toEqual([]);
    await database.query(`update agent_commands set status = 'failed', error_code = 'timeout'`);
    await database.query(`update agent_commands set status = 'completed', error_code = null`);
    expect((await found()).map(({ kind }) => kind)).toEqual(['contradicted']);
  });

  for (const { name, of } of FAULTS)
    it(`${name} says so, keeps its agents and everything that it accepted, and is soon back`, () =>
      run(of(server), server, server));

  describe('is behind a network that fails and', () => {
    let proxy: DeafProxy;
    beforeAll(async () => {
      proxy = await startDeafProxy(server);
    });
    afterAll(() => proxy[Symbol.asyncDispose]());

    it('hands out commands, and is cut off before it is heard, has them handed out again', () =>
      run({ begin: () => proxy.deafenAt(HANDING_OUT), end: () => proxy.heal() }, server, proxy));
  });

  describe.runIf(program)('is behind PgBouncer and', () => {
    let bouncer: PgBouncer;
    beforeAll(async () => {
      bouncer = await startPgBouncer(program!, server);
    }, 30_000);
    afterAll(() => bouncer[Symbol.asyncDispose](), 30_000);

    for (const { name, of } of FAULTS)
      it(`${name} says so, keeps its agents and everything that it accepted, and is soon back`, () =>
        run(of(server), server, bouncer));
  });
});
