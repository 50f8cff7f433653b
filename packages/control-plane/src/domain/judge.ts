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
  | {
      /** The session's state becomes what the agent has: ended, hibernated, or running after all. */
      readonly action: 'terminated' | 'hibernated' | 'keep_running';
      readonly session: HeldSession;
      readonly reason: string;
    };

export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** Sessions that the agent holds and nobody here knows. They are never touched: they may be somebody else's. */
  readonly unknown: readonly string[];
}

/** A platform may go on listing what is left of a session, its home for example. */
const isAlive = (entry: InventoryEntry | undefined): entry is InventoryEntry =>
  entry !== undefined && entry.state !== 'stopped';

/**
 * One that is to be hibernated and is not held, or has failed, is left: starting it would make what its user put away
 * run, and waking it says what is wrong.
 */
function judgeHibernated(session: HeldSession, entry: InventoryEntry | undefined): Verdict | undefined {
  if (entry?.generation !== session.generation) return undefined;
  if (entry.state === 'hibernated' && session.state === 'running')
    return { action: 'hibernated', session, reason: 'the agent holds it hibernated' };
  if (entry.state === 'running')
    return {
      action: 'keep_running',
      session,
      reason: 'it should be hibernated and the agent holds it as running',
    };
  return undefined;
}

function judgeOwn(session: HeldSession, entry: InventoryEntry | undefined): Verdict | undefined {
  if (session.desired === 'external') return undefined;
  if (session.desired === 'hibernated') return judgeHibernated(session, entry);
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
  if (entry.state === 'hibernated' && session.state === 'running')
    return { action: 'hibernated', session, reason: 'the agent has hibernated it by itself' };
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
    } else if (isAlive(entry) && session.desired !== 'external') {
      const place = session.agentId === null ? 'no agent' : `agent ${session.agentId}`;
      const reason = `it belongs to ${place}`;
      verdicts.push({ action: 'stop', session, heldGeneration: entry.generation, reason });
    }
  }
  return { verdicts, unknown: [...held.keys()].filter((id) => !known.has(id)) };
}
