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
  /** Agents whose row has a newer epoch. */
  readonly replaced = new Set<string>();

  async query(sql: string, [json]: readonly unknown[] = []): Promise<{ rows: unknown[]; rowCount: number }> {
    if (this.away) throw new DatabaseError('unavailable', 'away');
    const rows = JSON.parse(String(json)) as Written[];
    if (/^\s*select/.test(sql))
      return { rows: rows.filter(({ agent_id }) => this.replaced.has(agent_id)), rowCount: 0 };
    this.statements.push(rows);
    return { rows: [], rowCount: rows.filter(({ agent_id }) => !this.replaced.has(agent_id)).length };
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
  const heartbeats = new Heartbeats({
    database: database as unknown as Database,
    flushMs,
    onError: (_error, where) => errors.push(where),
  });
  heartbeats.onSuperseded((replaced) => stale.push(replaced));
  open.push(heartbeats);
  const names = (): string[][] => database.statements.map((rows) => rows.map(({ agent_id }) => agent_id));
  return { database, errors, stale, heartbeats, names };
}

const online = { status: 'online', activeSessions: 2 } as const;

describe('heartbeats', () => {
  it('of many agents are written together, after a while, in statements of bounded size', async () => {
    const { heartbeats, names } = setUp(20);
    for (let i = 0; i < 4_500; i++) {
      heartbeats.claimed(`agent-${i}`, 1);
      await heartbeats.heard(`agent-${i}`, 1, online);
    }
    await expect.poll(() => names().flat().length).toBe(4_500);
    expect(Math.max(...names().map(({ length }) => length))).toBeLessThanOrEqual(2_000);
    expect(new Set(names().flat()).size).toBe(4_500);
  });

  it('wait for the next round, the last of each agent', async () => {
    const { heartbeats, database } = setUp();
    heartbeats.claimed('a', 5);
    await heartbeats.heard('a', 5, online);
    await heartbeats.heard('a', 5, { status: 'online', activeSessions: 3 });
    expect(database.statements).toEqual([]);
    await heartbeats.flush();
    await heartbeats.flush();
    expect(database.statements).toMatchObject([[{ agent_id: 'a', epoch: 5, status: 'online', sessions: 3 }]]);
  });

  it('that change the status are written before the report is taken for heard', async () => {
    const { heartbeats, database } = setUp();
    heartbeats.claimed('a', 1);
    await heartbeats.heard('a', 1, { status: 'draining', activeSessions: 1 });
    expect(database.statements).toMatchObject([[{ status: 'draining' }]]);
    await heartbeats.heard('a', 1, { status: 'draining', activeSessions: 1 });
    expect(database.statements).toHaveLength(1);
    await heartbeats.heard('a', 1, online);
    expect(database.statements).toHaveLength(2);
  });

  it('are kept while the database is away, and say when they were heard', async () => {
    const { heartbeats, database, errors } = setUp(20);
    heartbeats.claimed('a', 1);
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
    heartbeats.claimed('a', 1);
    database.away = true;
    const draining = { status: 'draining', activeSessions: 1 } as const;
    await expect(heartbeats.heard('a', 1, draining)).rejects.toMatchObject({ code: 'unavailable' });
    database.away = false;
    await expect.poll(() => database.statements).toMatchObject([[{ status: 'draining' }]]);
  });

  it('of connections that were replaced are dropped, here and by the row, and it is told whose they were', async () => {
    const { heartbeats, database, stale } = setUp();
    heartbeats.claimed('a', 1);
    heartbeats.claimed('a', 2);
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
    for (const agentId of ['a', 'b']) heartbeats.claimed(agentId, 1);
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
    heartbeats.claimed('a', 1);
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

  it('are tried no more once the database is closed', async () => {
    const { heartbeats, database, errors } = setUp(10);
    heartbeats.claimed('a', 1);
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
