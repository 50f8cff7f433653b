import { describe, expect, it } from 'vitest';
import type { HeldSession, Reconciled, SessionStore } from '../src/domain/ports.js';
import { Reconciler } from '../src/domain/reconciler.js';
import type { ControlPlaneEvent } from '../src/events.js';

const SESSIONS = 100;

function setUp(reconcile: SessionStore['reconcile']) {
  const held = Array.from({ length: SESSIONS }, (_, index): HeldSession => ({
    id: `s-${String(index).padStart(3, '0')}`,
    agentId: 'a',
    generation: 1,
    desired: 'running',
    state: 'running',
    busy: false,
  }));
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
    onEvent: (event) => events.push(event),
  });
  const inventory = (isCurrent: () => boolean = () => true): Promise<void> =>
    reconciler.inventory({ agentId: 'a', epoch: 1, sessions: [], changedSince: new Set(), isCurrent });
  return { inventory, asked, events, woken, most: () => most };
}

const changed = async (): Promise<Reconciled> => 'changed';

describe('the changes of an inventory', () => {
  it('are asked for in batches, in the order of their sessions, with one wake-up for each', async () => {
    const { inventory, asked, events, woken, most } = setUp(changed);
    await inventory();
    expect(asked).toHaveLength(SESSIONS);
    expect(asked).toEqual([...asked].sort());
    expect([most(), woken.length, events.length]).toEqual([32, Math.ceil(SESSIONS / 32), SESSIONS]);
  });

  it('end with the batch in which the connection of the inventory is gone', async () => {
    const { inventory, asked } = setUp(changed);
    await inventory(() => asked.length < 60);
    expect(asked).toHaveLength(64);
  });

  it('end with the batch in which the store knows of a newer connection', async () => {
    let left = 40;
    const { inventory, asked, events } = setUp(async () => (left-- > 0 ? 'changed' : 'stale'));
    await inventory();
    expect([asked.length, events.length]).toEqual([64, 40]);
  });

  it('are made of the other sessions when one of them fails for good', async () => {
    const { inventory, events } = setUp(async ({ sessionId }) => {
      if (sessionId === 's-007') throw Object.assign(new Error('a bad row'), { shouldRetry: false });
      return 'changed';
    });
    await expect(inventory()).rejects.toThrow('a bad row');
    expect(events).toHaveLength(SESSIONS - 1);
  });

  it('end with the batch in which the database is away', async () => {
    const { inventory, asked } = setUp(async () => {
      throw Object.assign(new Error('no connection'), { shouldRetry: true });
    });
    await expect(inventory()).rejects.toThrow('no connection');
    expect(asked).toHaveLength(32);
  });
});
