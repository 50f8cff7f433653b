import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { NameWatch, Replica } from '../src/replica.js';
import { DatabaseError } from '../src/stores/database-error.js';
import { replicaTiming, type Look, type ReplicaStore } from '../src/stores/replicas.js';
import { fakeAgent } from './support/fake-agent.js';
import { eventually, setUpAdmin, startServer, type TestServer } from './support/server.js';

describe('what a start makes of the replica that has its name', () => {
  /** Beats every 3 s, and is dead after 9 s. */
  const timing = replicaTiming(9_000);
  /**
   * The verdicts of looks every second, until one is certain. `beats` says when the holder beat last, as seen at `now`,
   * in s; `undefined`: there is no holder any more.
   */
  const verdicts = (
    beats: (now: number) => number | undefined,
    looks: readonly number[] = seconds(30),
  ): string => {
    const watch = new NameWatch(timing);
    for (const now of looks) {
      const last = beats(now);
      const holders =
        last === undefined
          ? []
          : [
              {
                bootId: 'boot',
                startedAt: new Date(0),
                lastBeatUs: last * 1_000_000,
                silentMs: (now - last) * 1_000,
              },
            ];
      const verdict = watch.judge({ now: now * 1_000, holders });
      if (verdict !== 'wait') return `${verdict} after ${now} s`;
    }
    return 'never certain';
  };
  const seconds = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

  it('is free at once where no other replica has it', () => {
    expect(verdicts(() => undefined)).toBe('free after 0 s');
  });

  it('is held where that one goes on beating', () => {
    expect(verdicts((now) => now - (now % 3))).toBe('held after 9 s');
  });

  it('is free within 9 s where that one was killed, whenever it beat last', () => {
    expect(verdicts(() => 0)).toBe('free after 9 s');
    expect(verdicts(() => -2)).toBe('free after 7 s');
    // Long ago: the database may have been away, so that it is watched for one beat and a bit.
    expect(verdicts(() => -8)).toBe('free after 4 s');
    expect(verdicts(() => -1_000)).toBe('free after 4 s');
  });

  it('is free where that one ends in order meanwhile', () => {
    expect(verdicts((now) => (now < 5 ? now : undefined))).toBe('free after 5 s');
  });

  it('is watched from the beginning after a gap in which the database may have been away', () => {
    // It could not beat either; when the database is back, it does.
    const back = 24;
    const looks = [0, 1, ...seconds(11).map((passed) => back + passed)];
    expect(verdicts((now) => (now < back + 3 ? -1 : back + 3), looks)).toBe(`held after ${back + 9} s`);
  });

  it('is free where that one was killed before the clock of the database was set back', () => {
    expect(verdicts(() => 3_600)).toBe('free after 9 s');
  });

  it('is free where the clock is set back during the watch, and held where that one beats by the new time', () => {
    const looks = [0, 1, ...seconds(30).map((passed) => passed - 100)];
    expect(verdicts(() => -1, looks)).toBe('free after -92 s');
    expect(verdicts((now) => (now >= 0 ? -1 : now - (now % 3)), looks)).toBe('held after -92 s');
  });

  it('is watched for a bounded time where each look takes longer than a beat', () => {
    const looks = seconds(200).map((look) => look * 3.1);
    for (const beats of [() => 0, (now: number) => now])
      expect(verdicts(beats, looks)).toBe(`slow after ${9 * 3.1} s`);
    // One long gap says nothing of the load.
    const woken = [0, 1, ...seconds(30).map((passed) => 3_600 + passed)];
    expect(verdicts(() => 0, woken)).toBe('free after 3604 s');
  });

  it('refuses the start where the database answers too slowly to judge', async () => {
    // Its clock runs on by four beats between any two looks.
    const shortTiming = replicaTiming(1_500);
    let now = 0;
    const looks: number[] = [];
    const store = {
      take: (judge: (look: Look) => boolean) => {
        looks.push((now += 4 * shortTiming.beatMs));
        const holder = { bootId: 'boot', startedAt: new Date(0), lastBeatUs: now * 1_000, silentMs: 0 };
        judge({ now, holders: [holder] });
        return Promise.resolve(undefined);
      },
    } as unknown as ReplicaStore;
    const start = Replica.start({
      store,
      podName: 'pod-a',
      timing: shortTiming,
      sole: false,
      onEvent: () => undefined,
      onError: () => undefined,
    });
    await expect(start).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(
        /^database must answer within 500 ms .* replica boot, .* "pod-a"/,
      ) as string,
    });
    expect(looks).toHaveLength(4);
  });
});

describe('two control planes with one name', () => {
  /** A replica is dead after this long without a beat, in ms. */
  const replicaTimeoutMs = 1_500;
  let database: Database;
  let first: TestServer;
  beforeAll(async () => {
    database = await memoryDatabase();
    first = await startServer(database, { replicaTimeoutMs });
  }, 60_000);
  afterAll(async () => {
    await first[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  it(
    'are not two: the second is refused, and the agents of the first stay online',
    { timeout: 30_000 },
    async () => {
      const client = await setUpAdmin(first);
      const key = await first.controlPlane.agents.issueKey('desk-1');
      await using agent = await fakeAgent({ url: first.wsUrl, agentId: 'desk-1', key });
      const events: string[] = [];
      const second = startServer(database, {
        replicaTimeoutMs,
        reset: false,
        onEvent: ({ type }) => events.push(type),
      });
      await expect(second).rejects.toMatchObject({
        code: 'pod_name_in_use',
        message: expect.stringMatching(
          /^podName must be a name that no other running replica has; got "pod-a", .* Stop that replica, or give this one another name\.$/,
        ) as string,
        heldSince: expect.any(Date) as Date,
      });
      expect(events).toEqual(['pod_name_awaited']);
      const { body } = await client.send('GET', '/api/v1/agents');
      expect(body).toMatchObject([{ agent_id: 'desk-1', status: 'online' }]);
      const created = await client.send('POST', '/api/v1/sessions', { template: 'desk' });
      expect(created.status).toBe(201);
      await eventually('started', () => agent.commands.length === 1);
    },
  );

  it('are one after the other where the first was killed', { timeout: 30_000 }, async () => {
    // Without a third replica, which would reap the killed one about when the next start takes its name.
    await using database = await memoryDatabase();
    let isDead = false;
    const dying: Database = {
      query: (sql, params) =>
        isDead ? Promise.reject(new DatabaseError('unavailable', 'killed')) : database.query(sql, params),
      script: (sql, options) => database.script(sql, options),
      transaction: (work) => database.transaction(work),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const killed = await startServer(dying, { replicaTimeoutMs, reset: false, podName: 'pod-killed' });
    const key = await killed.controlPlane.agents.issueKey('desk-2');
    await using _agent = await fakeAgent({ url: killed.wsUrl, agentId: 'desk-2', key });
    isDead = true;
    await killed[Symbol.asyncDispose]();
    const before = await database.query(`select status from agents where agent_id = 'desk-2'`);
    expect(before.rows).toEqual([{ status: 'online' }]);
    await using next = await startServer(database, { replicaTimeoutMs, reset: false, podName: 'pod-killed' });
    expect(next.events.map(({ type }) => type)).toEqual(['pod_name_awaited', 'connections_forgotten']);
    expect(next.events[1]).toMatchObject({ podName: 'pod-killed', count: 1 });
    const after = await database.query(`select status from agents where agent_id = 'desk-2'`);
    expect(after.rows).toEqual([{ status: 'offline' }]);
  });

  it('are one after the other, without a wait, where the first has ended in order', async () => {
    for (let start = 0; start < 2; start++) {
      await using server = await startServer(database, {
        replicaTimeoutMs,
        reset: false,
        podName: 'pod-ended',
      });
      expect(server.events).toEqual([]);
    }
  });

  it('give up the start when they are told to', async () => {
    const stop = new AbortController();
    const second = startServer(database, {
      replicaTimeoutMs: 60_000,
      reset: false,
      signal: stop.signal,
      onEvent: () => stop.abort(new Error('stopped')),
    });
    await expect(second).rejects.toThrow('aborted');
  });
});

describe('a control plane that has its database for itself', () => {
  let database: Database;
  beforeAll(async () => {
    database = await memoryDatabase();
  }, 60_000);
  afterAll(() => database[Symbol.asyncDispose]());

  it(
    'waits for no other replica, and forgets the connections of all of them',
    { timeout: 30_000 },
    async () => {
      const dead = await startServer(database, { podName: 'pod-before' });
      await dead[Symbol.asyncDispose]();
      // As if it had been killed; the second one was renamed.
      await database.query(
        `with boots as (
         insert into replicas (boot_id, pod_name) values (gen_random_uuid(), 'pod-a'), (gen_random_uuid(), 'pod-before')
         returning boot_id, pod_name
       )
       insert into agents (agent_id, status, websocket_conn_id, boot_conn_id, boot_id, pod_name)
       select 'agent of ' || pod_name, 'online', 'c', 'c', boot_id, pod_name from boots`,
      );
      await using server = await startServer(database, { podName: 'pod-a', soleReplica: true, reset: false });
      expect(server.events).toMatchObject([
        { type: 'connections_forgotten', podName: 'pod-a', count: 1 },
        { type: 'connections_forgotten', podName: 'pod-before', count: 1 },
      ]);
      const { rows } = await database.query('select pod_name from replicas');
      expect(rows).toEqual([{ pod_name: 'pod-a' }]);
    },
  );

  it(
    'has agents online again with their next heartbeat whose row said otherwise, and gives them what waits',
    { timeout: 30_000 },
    async () => {
      await using server = await startServer(database);
      const client = await setUpAdmin(server);
      const key = await server.controlPlane.agents.issueKey('desk-1');
      await using agent = await fakeAgent({ url: server.wsUrl, agentId: 'desk-1', key });
      const beat = (status: 'online' | 'draining'): void =>
        agent.say({ type: 'heartbeat', payload: { status, activeSessions: 0 } });
      const status = async () => (await client.send('GET', '/api/v1/agents')).body;
      // A change of status is written at once.
      beat('draining');
      await eventually('draining', async () => /draining/.test(JSON.stringify(await status())));
      await database.query(
        `update agents set status = 'offline', websocket_conn_id = null, pod_name = null, boot_id = null`,
      );
      expect(await status()).toMatchObject([{ status: 'offline' }]);
      const waiting = await client.send('POST', '/api/v1/sessions', {
        template: 'desk',
        waitForCapacity: true,
      });
      expect(waiting.status).toBe(201);
      beat('online');
      await eventually('started', () => agent.commands.length === 1);
      expect(await status()).toMatchObject([{ status: 'online' }]);
      expect(server.events).toContainEqual({ type: 'connections_restored', agentIds: ['desk-1'] });
    },
  );
});
