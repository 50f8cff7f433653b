import { randomUUID } from 'node:crypto';
import type { AgentOwnership, CommandQueue, Outcome } from '@streamspace/hub';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryDatabase } from './support/memory-database.js';
import { sqlAgentOwnership } from '../src/stores/agent-ownership.js';
import { sqlCommandQueue } from '../src/stores/command-queue.js';
import type { Database } from '../src/stores/database.js';
import { migrate } from '../src/stores/migrate.js';

/** The same schedules in every run. */
const SEED = 7_305_814;
const SCHEDULES = 60;

let database: Database;
let userId: string;
beforeAll(async () => {
  database = await memoryDatabase();
  await migrate(database);
  const { rows } = await database.query<{ id: string }>(
    `insert into users (username, password_hash, role) values ('someone', 'none', 'user') returning id`,
  );
  userId = rows[0]!.id;
}, 30_000);
afterAll(() => database[Symbol.asyncDispose]());

type Side = 0 | 1;
type Step =
  | { readonly type: 'connect' | 'take' | 'resume' | 'close' | 'crash'; readonly side: Side }
  | { readonly type: 'enqueue' }
  | { readonly type: 'ack' | 'both_finish'; readonly side: Side; readonly command: number }
  | {
      readonly type: 'finish';
      readonly side: Side;
      readonly command: number;
      readonly state: Outcome['state'];
    }
  | { readonly type: 'beat'; readonly side: Side; readonly status: 'online' | 'draining' };

const side = fc.constantFrom<Side>(0, 1);
const command = fc.nat({ max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('connect' as const), side }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('take' as const), side }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('resume' as const, 'close' as const), side }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), side }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('enqueue' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constantFrom('ack' as const, 'both_finish' as const), side, command }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('finish' as const),
      side,
      command,
      state: fc.constantFrom('completed' as const, 'failed' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('beat' as const),
      side,
      status: fc.constantFrom('online' as const, 'draining' as const),
    }),
  },
);

interface Connection {
  readonly connectionId: string;
  readonly epoch: number;
}

/** One agent with two connections, each by a replica of its own, that may outlive their replacement. */
class Schedule {
  readonly agentId = `agent-${randomUUID().slice(0, 8)}`;
  readonly commands: string[] = [];
  /** Commands with an outcome, and who brought it. */
  readonly finished = new Map<string, Connection>();
  readonly connections: (Connection | undefined)[] = [undefined, undefined];
  newest: Connection | undefined;
  dropped = 0;
  readonly #replicas: readonly AgentOwnership[] = ['pod-a', 'pod-b'].map((podName) =>
    sqlAgentOwnership({ database, boot: { bootId: randomUUID(), podName } }),
  );
  readonly #queues: readonly CommandQueue[] = [0, 1].map(() =>
    sqlCommandQueue({ database, maxAttempts: 1_000 }),
  );

  async run(steps: readonly Step[]): Promise<void> {
    for (const ownership of this.#replicas) ownership.onSuperseded?.(() => (this.dropped += 1));
    await database.query('insert into agents (agent_id) values ($1)', [this.agentId]);
    for (const step of steps) await this.#step(step);
    await this.#finishAll();
    await Promise.all(this.#replicas.map((ownership) => ownership.flush?.()));
  }

  /** Everything that is kept of this agent. */
  async #rows(): Promise<unknown> {
    const { rows } = await database.query(
      `select to_jsonb(a) as agent, to_jsonb(h) as heartbeat,
              (select jsonb_agg(to_jsonb(c) order by c.command_id) from agent_commands c where c.agent_id = a.id) as commands,
              (select jsonb_agg(to_jsonb(s) order by s.id) from sessions s where s.agent_id = a.id) as sessions
         from agents a left join agent_heartbeats h on h.agent_id = a.id where a.agent_id = $1`,
      [this.agentId],
    );
    return rows;
  }

  async #step(step: Step): Promise<void> {
    if (step.type === 'enqueue') return this.#enqueue();
    if (step.type === 'connect') return this.#connect(step.side);
    const connection = this.connections[step.side];
    if (!connection) return;
    if (step.type === 'both_finish') return this.#bothFinish(step.command);
    const isCurrent = connection === this.newest;
    const before = isCurrent ? undefined : await this.#rows();
    await this.#act(step, connection, isCurrent);
    await this.#replicas[step.side]!.flush?.();
    if (!isCurrent) expect(await this.#rows()).toEqual(before);
  }

  async #act(
    step: Exclude<Step, { type: 'enqueue' | 'connect' | 'both_finish' }>,
    connection: Connection,
    isCurrent: boolean,
  ): Promise<void> {
    const { connectionId, epoch } = connection;
    const [ownership, queue] = [this.#replicas[step.side]!, this.#queues[step.side]!];
    switch (step.type) {
      case 'take':
        if (!isCurrent) expect(await queue.claim(this.agentId, epoch, 10)).toEqual([]);
        else await queue.claim(this.agentId, epoch, 10);
        return;
      case 'resume':
        if (!isCurrent) expect(await queue.resume(this.agentId, epoch, this.commands)).toEqual([]);
        return;
      case 'close':
        // What was said on the socket before may still be on its way: the connection stays to say it.
        return ownership.release(this.agentId, connectionId, epoch);
      case 'crash':
        if (isCurrent) this.connections[step.side] = undefined;
        return;
      case 'beat': {
        const before = this.dropped;
        await ownership.heard(this.agentId, epoch, { status: step.status, activeSessions: 1 });
        await ownership.flush?.();
        if (!isCurrent) expect(this.dropped).toBe(before + 1);
        return;
      }
      case 'ack': {
        const commandId = this.commands[step.command];
        if (commandId === undefined) return;
        const said = queue.acknowledge(commandId, this.agentId, epoch);
        if (isCurrent) await said;
        else await expect(said).rejects.toMatchObject({ code: 'stale_epoch' });
        return;
      }
      case 'finish': {
        const commandId = this.commands[step.command];
        if (commandId === undefined) return;
        const outcome: Outcome =
          step.state === 'completed' ? { state: 'completed' } : { state: 'failed', error: 'no' };
        const said = queue.finish(commandId, this.agentId, outcome, epoch);
        if (!isCurrent) {
          await expect(said).rejects.toMatchObject({ code: 'stale_epoch' });
          return;
        }
        expect(await said).toBe(!this.finished.has(commandId));
        this.finished.set(commandId, this.finished.get(commandId) ?? connection);
        return;
      }
    }
  }

  async #enqueue(): Promise<void> {
    if (this.commands.length > 5) return;
    const [commandId, sessionId] = [randomUUID(), `s-${randomUUID().slice(0, 8)}`];
    await database.query(
      `insert into sessions (id, user_id, template, manifest, state, desired_state, platform, agent_id, request_hash)
       select $1, $2, 'x', '{}', 'pending', 'running', platform, id, '\\x00' from agents where agent_id = $3`,
      [sessionId, userId, this.agentId],
    );
    await this.#queues[0]!.enqueue({
      commandId,
      sessionId,
      agentId: this.agentId,
      generation: 1,
      action: 'start_session',
      payload: {},
      deadline: Date.now() + 600_000,
    });
    this.commands.push(commandId);
  }

  async #connect(side: Side): Promise<void> {
    const connectionId = randomUUID();
    const claim = await this.#replicas[side]!.claim({
      agentId: this.agentId,
      connectionId,
      instanceId: 'one',
      platform: 'suite',
      capacity: { maxSessions: 0 },
    });
    if (!claim.ok) throw new Error(claim.message);
    expect(claim.epoch).toBeGreaterThan(this.newest?.epoch ?? 0);
    this.newest = this.connections[side] = { connectionId, epoch: claim.epoch };
  }

  /** Both connections bring an outcome at the same moment: only the newest one's can be taken. */
  async #bothFinish(command: number): Promise<void> {
    const commandId = this.commands[command];
    if (commandId === undefined) return;
    const settled = await Promise.allSettled(
      this.connections.map((connection, at) =>
        connection === undefined
          ? Promise.resolve(false)
          : this.#queues[at]!.finish(commandId, this.agentId, { state: 'completed' }, connection.epoch),
      ),
    );
    settled.forEach((result, at) => {
      const connection = this.connections[at];
      const wasFirst = result.status === 'fulfilled' && result.value;
      if (wasFirst) {
        expect(connection).toBe(this.newest);
        expect(this.finished.has(commandId)).toBe(false);
        this.finished.set(commandId, connection!);
      }
    });
  }

  /** Whatever happened before: the next connection gets what is left, all of it and nothing else, and can finish it. */
  async #finishAll(): Promise<void> {
    await this.#connect(0);
    const epoch = this.newest!.epoch;
    const left = await this.#queues[0]!.claim(this.agentId, epoch, 100);
    expect(left.map(({ commandId }) => commandId).sort()).toEqual(
      this.commands.filter((commandId) => !this.finished.has(commandId)).sort(),
    );
    for (const { commandId } of left)
      expect(await this.#queues[0]!.finish(commandId, this.agentId, { state: 'completed' }, epoch)).toBe(
        true,
      );
  }
}

describe('a connection that was replaced', () => {
  it('changes nothing, in whatever order frames, crashes and new connections come', async () => {
    const late = { frames: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const schedule = new Schedule();
        await schedule.run(steps);
        late.frames += schedule.dropped;
      }),
      { seed: SEED, numRuns: SCHEDULES },
    );
    expect(late.frames).toBeGreaterThan(0);
  }, 60_000);
});
