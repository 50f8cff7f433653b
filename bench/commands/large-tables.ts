import { randomUUID } from 'node:crypto';
import type { Database } from '@streamspace/control-plane';
import { openFixtures, type Fixtures } from '@streamspace/control-plane/testing';
import { quantile } from '../tunnel/table.js';
import { inBulk } from './world.js';

/** Of the commands, those that have no outcome yet. */
const OPEN_PART = 0.05;
/** Most that one claim takes, as in the hub. */
const WINDOW = 32;
/** Claims at once while the agents connect. */
const CONNECTING = 32;
/** Heartbeats that the control writes row by row; what all would take follows from it. */
const ROW_SAMPLE = 1_000;

export interface Sizes {
  readonly agents: number;
  readonly commands: number;
}

export interface Redelivery {
  readonly commands: number;
  readonly open: number;
  /** What one agent gets again when it connects: the query and the writes that hand it out. */
  readonly claimP50Ms: number;
  readonly claimP99Ms: number;
  /** The query alone. */
  readonly queryP50Ms: number;
  readonly queryP99Ms: number;
  /** The sweep's question, for all agents at once. */
  readonly sweepMs: number;
}

export interface Heartbeats {
  readonly agents: number;
  /** Time of the statements of one cycle. */
  readonly cycleMs: number;
  /** The same, one row at a time. */
  readonly rowsMs: number;
  readonly ratio: number;
}

const NAMES = `select 'bulk-' || n as agent_id, n from generate_series(0, $1::int - 1) n`;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** A database that adds up how long its single statements take. */
function metered(database: Database): Database & { spentMs: number } {
  const meter = Object.assign(Object.create(database) as Database, {
    spentMs: 0,
    query: async (sql: string, params?: readonly unknown[]) => {
      const start = performance.now();
      try {
        return await database.query(sql, params);
      } finally {
        meter.spentMs += performance.now() - start;
      }
    },
    transaction: database.transaction.bind(database),
    script: database.script.bind(database),
  }) as Database & { spentMs: number };
  return meter;
}

/** Many agents, and many commands of which some are open. */
export class LargeTables {
  readonly #database: Database & { spentMs: number };
  readonly #epochs = new Map<string, number>();

  private constructor(
    database: Database,
    readonly sizes: Sizes,
  ) {
    this.#database = metered(database);
  }

  static async open(database: Database, sizes: Sizes): Promise<{ tables: LargeTables; stores: Fixtures }> {
    const tables = new LargeTables(database, sizes);
    const stores = await openFixtures(tables.#database);
    const user = await stores.addUser();
    await inBulk(
      database,
      `insert into agents (agent_id, platform) select agent_id, 'bulk' from (${NAMES}) a`,
      [sizes.agents],
    );
    await inBulk(
      database,
      `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash,
                             command_seq)
       select 's-' || row_number() over (), $1, 'x', '{}', 'running', 'running', 'bulk', a.id, '\\x00', 1000
         from agents a, generate_series(1, 10) where a.platform = 'bulk'`,
      [user.id],
    );
    // Each session's commands in turn, the last of each of the first ones without an outcome.
    const sessions = sizes.agents * 10;
    await inBulk(
      database,
      `insert into agent_commands (command_id, agent_id, session_id, seq, generation, command_type, command_data,
                                   status, retry_count, sent_epoch, deadline, created_at, completed_at)
       select 'c-' || n, s.agent_id, s.id, n / $2 + 1, 1, 'start_session', '{"user": "someone", "template": "x"}',
              case when n < $3 then 'sent' else 'completed' end, 1, 1, now() + interval '1 day',
              now() - n * interval '10 milliseconds', case when n < $3 then null else now() end
         from generate_series(0, $1::int - 1) n join sessions s on s.id = 's-' || (n % $2 + 1)`,
      [sizes.commands, sessions, Math.round(sizes.commands * OPEN_PART)],
    );
    await database.script('vacuum analyze agents');
    await database.script('vacuum analyze sessions');
    await database.script('vacuum analyze agent_commands');
    await tables.#connect(stores);
    return { tables, stores };
  }

  async #connect({ ownership }: Fixtures): Promise<void> {
    const names = Array.from({ length: this.sizes.agents }, (_, n) => `bulk-${n}`);
    const next = async (): Promise<void> => {
      for (let agentId = names.pop(); agentId !== undefined; agentId = names.pop()) {
        const claim = await ownership.claim({
          agentId,
          connectionId: randomUUID(),
          instanceId: 'bench',
          platform: 'bulk',
          capacity: { maxSessions: 0 },
        });
        if (!claim.ok) throw new Error(claim.message);
        this.#epochs.set(agentId, claim.epoch);
      }
    };
    await Promise.all(Array.from({ length: CONNECTING }, next));
    await this.#database.script('vacuum analyze agents');
  }

  async redelivery({ commands }: Fixtures, samples: number): Promise<Redelivery> {
    const agents = [...this.#epochs].map(([agentId, epoch]) => ({ agentId, epoch }));
    const queries: number[] = [];
    const claims: number[] = [];
    const sweepMs = await timed(() => commands.waiting(agents));
    for (let at = 0; at < samples; at++) {
      const { agentId, epoch } = agents[(at * 7_919) % agents.length]!;
      queries.push(await timed(() => commands.waiting([{ agentId, epoch }])));
      claims.push(await timed(() => commands.claim(agentId, epoch, WINDOW)));
    }
    return {
      commands: this.sizes.commands,
      open: Math.round(this.sizes.commands * OPEN_PART),
      claimP50Ms: quantile(claims, 0.5),
      claimP99Ms: quantile(claims, 0.99),
      queryP50Ms: quantile(queries, 0.5),
      queryP99Ms: quantile(queries, 0.99),
      sweepMs,
    };
  }

  async heartbeats({ ownership }: Fixtures, cycles: number): Promise<Heartbeats> {
    const report = { status: 'online', activeSessions: 3 } as const;
    const times: number[] = [];
    for (let cycle = 0; cycle < cycles; cycle++) {
      await Promise.all([...this.#epochs].map(([agentId, epoch]) => ownership.heard(agentId, epoch, report)));
      const before = this.#database.spentMs;
      await ownership.flush?.();
      times.push(this.#database.spentMs - before);
    }
    const sample = [...this.#epochs].slice(0, ROW_SAMPLE);
    const rowsMs = await timed(async () => {
      for (const [agentId, epoch] of sample)
        await this.#database.query(
          `update agent_heartbeats set last_heartbeat = now(), status = 'online', active_sessions = 3
            where agent_id = (select id from agents where agent_id = $1) and epoch = $2`,
          [agentId, epoch],
        );
    });
    const cycleMs = quantile(times, 0.5);
    const allRowsMs = (rowsMs / sample.length) * this.#epochs.size;
    return { agents: this.#epochs.size, cycleMs, rowsMs: allRowsMs, ratio: allRowsMs / cycleMs };
  }
}
