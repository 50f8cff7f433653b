import type { SessionSpec } from '@streamspace/agent-core';
import type { ProcessId } from './host/processes.js';

/** Where an X desktop runs. */
export interface XPlace {
  /** The number of its display, which may have been taken by somebody else while `server` is missing. */
  readonly display: number;
  readonly server?: ProcessId;
  /** The first of the template's programs: the session lasts for as long as it does. */
  readonly main?: ProcessId;
}

/**
 * What is on disk of a session, from before anything of it is there until after all of it is gone. Whoever finds it
 * knows what was wanted, and whether it was reached.
 */
export interface SessionRecord {
  readonly spec: SessionSpec;
  /** Of the last change, as `list` shows them. */
  readonly generation: number;
  readonly commandId: string;
  readonly wanted: 'running' | 'hibernated' | 'gone';
  /** `false` from before a change has its first effect until it has its last. */
  readonly settled: boolean;
  /** Set where it ended without being asked to; until somebody wakes or starts it again. */
  readonly end?: { readonly state: 'stopped' | 'failed'; readonly reason: string };
  readonly x?: XPlace;
}

/** Throws an Error that says what is wrong with a record that was read. */
export function parseRecord(text: string, sessionId: string): SessionRecord {
  const value = JSON.parse(text) as Partial<SessionRecord> | null;
  const sound =
    value?.spec?.sessionId === sessionId &&
    Number.isSafeInteger(value.generation) &&
    typeof value.commandId === 'string' &&
    ['running', 'hibernated', 'gone'].includes(value.wanted ?? '') &&
    typeof value.settled === 'boolean';
  if (!sound) throw new Error('it is no record of that session');
  return value as SessionRecord;
}
