import { describe, expect, it } from 'vitest';
import type { HeldSession, Reconciled, SessionStore } from '../src/domain/ports.js';
import { Reconciler } from '../src/domain/reconciler.js';
import type { ControlPlaneEvent } from '../src/events.js';

const SESSIONS = 100;

interface World {
  reconcile?: SessionStore['reconcile'];
  shortage?: { detail: string; remedy: string } | undefined;
  held?: (session: HeldSession) => HeldSession;
}

function setUp({ reconcile = changed, shortage, held: change = (session) => session }: World = {}) {
  const held = Array.from({ length: SESSIONS }, (_, index): HeldSession => ({
    id: `s-${String(index).padStart(3, '0')}`,
    agentId: 'a',
    generation: 1,
    desired: 'running',
    state: 'running',
    busy: false,
  })).map(change);
  const asked: string[] = [];
  const events: ControlPlaneEvent[] = [];
  const woken: string[] = [];
  let most = 0;
  let underWay = 0;
  const reconciler = new Reconciler({
    sessions: {
      heldBy: async () => held,
      reconcile: async (judged, change) => {
        asked.push(judged.sessionId);
        most = Math.max(most, (underWay += 1));
        await new Promise(setImmediate);
        underWay -= 1;
        return reconcile(judged, change);
      },
    } as Partial<SessionStore> as SessionStore,
    wakeups: { sessionChanged: () => undefined, commandsWaiting: (agentId) => woken.push(agentId) },
    room: { shortage: async () => shortage },
    onEvent: (event) => events.push(event),
  });
  const inventory = (isCurrent: () => boolean = () => true): Promise<void> =>
    reconciler.inventory({ agentId: 'a', epoch: 1, sessions: [], changedSince: new Set(), isCurrent });
  return { inventory, asked, events, woken, most: () => most };
}

const changed = async (): Promise<Reconciled> => 'changed';

describe('the changes of an inventory', () => {
  it('are asked for in batches, in the order of their sessions, with one wake-up for each', async () => {
    const { inventory, asked, events, woken, most } = setUp();
    await inventory();
    expect(asked).toHaveLength(SESSIONS);
    expect(asked).toEqual([...asked].sort());
    expect([most(), woken.length, events.length]).toEqual([32, Math.ceil(SESSIONS / 32), SESSIONS]);
  });

  it('end with the batch in which the connection of the inventory is gone', async () => {
    const { inventory, asked } = setUp();
    await inventory(() => asked.length < 60);
    expect(asked).toHaveLength(64);
  });

  it('end with the batch in which the store knows of a newer connection', async () => {
    let left = 40;
    const { inventory, asked, events } = setUp({ reconcile: async () => (left-- > 0 ? 'changed' : 'stale') });
    await inventory();
    expect([asked.length, events.length]).toEqual([64, 40]);
  });

  it('are made of the other sessions when one of them fails for good', async () => {
    const { inventory, events } = setUp({
      reconcile: async ({ sessionId }) => {
        if (sessionId === 's-007') throw Object.assign(new Error('a bad row'), { shouldRetry: false });
        return 'changed';
      },
    });
    await expect(inventory()).rejects.toThrow('a bad row');
    expect(events).toHaveLength(SESSIONS - 1);
  });

  it('end with the batch in which the database is away', async () => {
    const { inventory, asked } = setUp({
      reconcile: async () => {
        throw Object.assign(new Error('no connection'), { shouldRetry: true });
      },
    });
    await expect(inventory()).rejects.toThrow('no connection');
    expect(asked).toHaveLength(32);
  });

  it('are all but the restarts while there is no room to store, and those are reported', async () => {
    const { inventory, asked, events } = setUp({
      shortage: { detail: 'The disk is full.', remedy: 'Free space.' },
      held: (session) =>
        session.id < 's-010' ? { ...session, desired: 'terminated', state: 'terminating' } : session,
    });
    await inventory();
    expect(asked).toHaveLength(10);
    expect(events.filter(({ type }) => type === 'session_reconciled')).toHaveLength(10);
    expect(events.filter(({ type }) => type === 'restarts_postponed')).toEqual([
      {
        type: 'restarts_postponed',
        agentId: 'a',
        sessionIds: Array.from({ length: SESSIONS - 10 }, (_, n) => `s-${String(n + 10).padStart(3, '0')}`),
        reason: 'The disk is full.',
      },
    ]);
  });
});
