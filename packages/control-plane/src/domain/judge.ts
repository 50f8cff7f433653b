import type { InventoryEntry } from '@streamspace/protocol';
import type { HeldSession } from './ports.js';

/** What to do about a difference between what an agent holds and what it should. */
export type Verdict =
  | {
      readonly action: 'restart';
      readonly session: HeldSession;
      readonly newGeneration: number;
      readonly reason: string;
    }
  | {
      readonly action: 'stop';
      readonly session: HeldSession;
      readonly heldGeneration: number;
      readonly reason: string;
    }
  | { readonly action: 'terminated'; readonly session: HeldSession; readonly reason: string };

export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** Sessions that the agent holds and nobody here knows. They are never touched: they may be somebody else's. */
  readonly unknown: readonly string[];
}

/** A platform may go on listing what is left of a session, its home for example. */
const isAlive = (entry: InventoryEntry | undefined): entry is InventoryEntry =>
  entry !== undefined && entry.state !== 'stopped';

function judgeOwn(session: HeldSession, entry: InventoryEntry | undefined): Verdict | undefined {
  if (session.desired === 'terminated') {
    if (isAlive(entry))
      return {
        action: 'stop',
        session,
        heldGeneration: entry.generation,
        reason: `it should have ended and the agent holds it as ${entry.state}`,
      };
    if (session.state === 'terminating')
      return { action: 'terminated', session, reason: 'the agent does not hold it any more' };
    return undefined;
  }
  const newGeneration = Math.max(session.generation, entry?.generation ?? 0) + 1;
  const restart = (reason: string): Verdict => ({ action: 'restart', session, newGeneration, reason });
  if (!entry) return restart('the agent does not hold it');
  if (entry.generation !== session.generation)
    return restart(`the agent holds generation ${entry.generation}, it should be ${session.generation}`);
  if (entry.state === 'stopped' || entry.state === 'failed')
    return restart(`the agent holds it as ${entry.state}`);
  return undefined;
}

/**
 * Compares what an agent holds with what it should. Sessions with an unfinished command, or for which one was sent after
 * the inventory was taken, are left for the next one.
 */
export function judge(
  agentId: string,
  inventory: readonly InventoryEntry[],
  sessions: readonly HeldSession[],
  changedSince: ReadonlySet<string>,
): Judgement {
  const held = new Map(inventory.map((entry) => [entry.sessionId, entry]));
  const known = new Set(sessions.map((session) => session.id));
  const verdicts: Verdict[] = [];
  for (const session of sessions) {
    if (session.busy || changedSince.has(session.id)) continue;
    const entry = held.get(session.id);
    if (session.agentId === agentId) {
      const verdict = judgeOwn(session, entry);
      if (verdict) verdicts.push(verdict);
    } else if (isAlive(entry)) {
      const place = session.agentId === null ? 'no agent' : `agent ${session.agentId}`;
      const reason = `it belongs to ${place}`;
      verdicts.push({ action: 'stop', session, heldGeneration: entry.generation, reason });
    }
  }
  return { verdicts, unknown: [...held.keys()].filter((id) => !known.has(id)) };
}
