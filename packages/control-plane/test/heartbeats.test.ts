import type { AgentEpoch } from '@streamspace/hub';
import { afterEach, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { DatabaseError } from '../src/stores/database-error.js';
import { Heartbeats } from '../src/stores/heartbeats.js';

interface Written {
  agent_id: string;
  epoch: number;
  age: number;
  status: string;
  sessions: number;
}

/** A database that writes down what it is told, and is away when the test says so. */
class RecordingDatabase {
  readonly statements: Written[][] = [];
  away = false;
  /** Statements, whatever their outcome. */
  asked = 0;
  /** Agents whose row has a newer epoch. */
  readonly replaced = new Set<string>();
  /** Agents whose row says that they are not connected here. */
  readonly differing = new Set<string>();
  /** Agents of each statement that put such rows right. */
  readonly restored: string[][] = [];

  async query(sql: string, [json]: readonly unknown[] = []): Promise<{ rows: unknown[]; rowCount: number }> {
    this.asked += 1;
    if (this.away) throw new DatabaseError('unavailable', 'away');
    const rows = JSON.parse(String(json)) as Written[];
    if (/^\s*select/.test(sql))
      return { rows: rows.filter(({ agent_id }) => this.replaced.has(agent_id)), rowCount: 0 };
    if (sql.includes('skip locked')) {
      this.restored.push(rows.map(({ agent_id }) => agent_id));
      for (const { agent_id } of rows) this.differing.delete(agent_id);
      return { rows: rows.map(({ agent_id }) => ({ agent_id })), rowCount: rows.length };
    }
    this.statements.push(rows);
    const taken = rows.map(({ agent_id }) => agent_id).filter((agentId) => !this.replaced.has(agentId));
    const differing = taken.filter((agentId) => this.differing.has(agentId));
    return {
      rows: [{ count: taken.length, differing: differing.length > 0 ? differing : null }],
      rowCount: taken.length,
    };
  }
}

let open: Heartbeats[] = [];
afterEach(async () => {
  await Promise.all(open.map((heartbeats) => heartbeats.flush()));
  open = [];
});

function setUp(flushMs = 60_000) {
  const database = new RecordingDatabase();
  const errors: string[] = [];
  const stale: AgentEpoch[] = [];
  const restored: string[][] = [];
  const heartbeats = new Heartbeats({
    database: database as unknown as Database,
    boot: { bootId: '6a4f6f1e-0000-4000-8000-000000000001', podName: 'pod' },
    flushMs,
    onRestored: (agentIds) => restored.push([...agentIds]),
    onError: (_error, where) => errors.push(where),
  });
  heartbeats.onSuperseded((replaced) => stale.push(replaced));
  open.push(heartbeats);
  const names = (): string[][] => database.statements.map((rows) => rows.map(({ agent_id }) => agent_id));
  return { database, errors, stale, restored, heartbeats, names };
}

const online = { status: 'online', activeSessions: 2 } as const;

describe('heartbeats', () => {
  it('of many agents are written together, after a while, in statements of bounded size', async () => {
    const { heartbeats, names } = setUp(20);
    for (let i = 0; i < 4_500; i++) {
      heartbeats.claimed(`agent-${i}`, 1, 'connection');
      await heartbeats.heard(`agent-${i}`, 1, online);
    }
    await expect.poll(() => names().flat().length).toBe(4_500);
    expect(Math.max(...names().map(({ length }) => length))).toBeLessThanOrEqual(2_000);
    expect(new Set(names().flat()).size).toBe(4_500);
  });

  it('wait for the next round, the last of each agent', async () => {
    const { heartbeats, database } = setUp();
    heartbeats.claimed('a', 5, 'connection');
    await heartbeats.heard('a', 5, online);
    await heartbeats.heard('a', 5, { status: 'online', activeSessions: 3 });
    expect(database.statements).toEqual([]);
    await heartbeats.flush();
    await heartbeats.flush();
    expect(database.statements).toMatchObject([[{ agent_id: 'a', epoch: 5, status: 'online', sessions: 3 }]]);
  });

  it('that change the status are written before the report is taken for heard', async () => {
    const { heartbeats, database } = setUp();
    heartbeats.claimed('a', 1, 'connection');
    await heartbeats.heard('a', 1, { status: 'draining', activeSessions: 1 });
    expect(database.statements).toMatchObject([[{ status: 'draining' }]]);
    await heartbeats.heard('a', 1, { status: 'draining', activeSessions: 1 });
    expect(database.statements).toHaveLength(1);
    await heartbeats.heard('a', 1, online);
    expect(database.statements).toHaveLength(2);
  });

  it('are kept while the database is away, and say when they were heard', async () => {
    const { heartbeats, database, errors } = setUp(20);
    heartbeats.claimed('a', 1, 'connection');
    database.away = true;
    const heardAt = performance.now();
    await heartbeats.heard('a', 1, online);
    await expect.poll(() => errors.length).toBeGreaterThan(1);
    database.away = false;
    await expect.poll(() => database.statements.length).toBe(1);
    const [[written]] = database.statements as [[Written]];
    expect(written.age).toBeGreaterThan(20);
    expect(written.age).toBeLessThanOrEqual(performance.now() - heardAt);
  });

  it('that change the status reject while the database is away, and are written when it is back', async () => {
    const { heartbeats, database } = setUp(20);
    heartbeats.claimed('a', 1, 'connection');
    database.away = true;
    const draining = { status: 'draining', activeSessions: 1 } as const;
    await expect(heartbeats.heard('a', 1, draining)).rejects.toMatchObject({ code: 'unavailable' });
    database.away = false;
    await expect.poll(() => database.statements).toMatchObject([[{ status: 'draining' }]]);
  });

  it('of connections that were replaced are dropped, here and by the row, and it is told whose they were', async () => {
    const { heartbeats, database, stale } = setUp();
    heartbeats.claimed('a', 1, 'connection');
    heartbeats.claimed('a', 2, 'connection');
    await heartbeats.heard('a', 1, { status: 'draining', activeSessions: 1 });
    expect(stale).toEqual([{ agentId: 'a', epoch: 1 }]);
    database.replaced.add('a');
    await heartbeats.heard('a', 2, online);
    await heartbeats.flush();
    expect(stale.slice(1)).toEqual([{ agentId: 'a', epoch: 2 }]);
    heartbeats.released('a', 1);
    heartbeats.released('a', 2);
    await heartbeats.heard('a', 2, online);
    expect(stale).toHaveLength(3);
    expect(database.statements).toHaveLength(1);
  });

  it('have a capacity written that was told of, once, before and not with those that have none', async () => {
    const { heartbeats, database } = setUp();
    for (const agentId of ['a', 'b']) heartbeats.claimed(agentId, 1, 'connection');
    await heartbeats.heard('a', 1, { ...online, capacity: { maxSessions: 3, maxMemory: 8 } });
    await heartbeats.heard('a', 1, online);
    await heartbeats.heard('b', 1, online);
    await heartbeats.flush();
    await heartbeats.heard('a', 1, online);
    await heartbeats.flush();
    expect(database.statements.map((rows) => rows.map(({ agent_id }) => agent_id))).toEqual([
      ['a'],
      ['a', 'b'],
      ['a'],
    ]);
    expect(database.statements[0]).toEqual([
      { agent_id: 'a', epoch: 1, capacity: { max_sessions: 3, max_memory: 8 } },
    ]);
  });

  it('keep a capacity that was told of while the database is away', async () => {
    const { heartbeats, database } = setUp(20);
    heartbeats.claimed('a', 1, 'connection');
    database.away = true;
    const draining = { status: 'draining', activeSessions: 1 } as const;
    const said = heartbeats.heard('a', 1, { ...draining, capacity: { maxSessions: 3 } });
    await expect(said).rejects.toMatchObject({ code: 'unavailable' });
    await expect(heartbeats.heard('a', 1, draining)).rejects.toMatchObject({ code: 'unavailable' });
    database.away = false;
    await expect
      .poll(() => database.statements)
      .toMatchObject([[{ capacity: { max_sessions: 3 } }], [{ status: 'draining' }]]);
  });

  it('restore rows that differ with one statement more, and cost none more where none differs', async () => {
    const { heartbeats, database, restored } = setUp();
    for (const agentId of ['c', 'a', 'b']) heartbeats.claimed(agentId, 1, 'connection');
    const beat = async (): Promise<void> => {
      for (const agentId of ['a', 'b', 'c']) await heartbeats.heard(agentId, 1, online);
      await heartbeats.flush();
    };
    await beat();
    expect(database.asked).toBe(1);
    for (const agentId of ['a', 'c']) database.differing.add(agentId);
    await beat();
    expect(database.asked).toBe(3);
    await beat();
    expect(database.asked).toBe(4);
    expect(database.restored).toEqual([['a', 'c']]);
    expect(restored).toEqual([['a', 'c']]);
  });

  it('are tried no more once the database is closed', async () => {
    const { heartbeats, database, errors } = setUp(10);
    heartbeats.claimed('a', 1, 'connection');
    await heartbeats.heard('a', 1, online);
    let asked = 0;
    database.query = async () => {
      asked += 1;
      throw new DatabaseError('closed', 'closed');
    };
    await expect.poll(() => errors).toHaveLength(1);
    await heartbeats.flush();
    expect(asked).toBe(2);
  });
});
