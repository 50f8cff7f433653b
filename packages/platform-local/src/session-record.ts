import type { SessionSpec } from '@streamspace/agent-core';
import type { ProcessId } from './host/processes.js';

/** Where an X desktop runs. */
export interface XPlace {
  /** The number of its display, which may have been taken by somebody else while `server` is missing. */
  readonly display: number;
  readonly server?: ProcessId;
  /** The first of the template's programs: the session lasts for as long as it does. */
  readonly main?: ProcessId;
  /** Everything that was started for it, each in a kernel session of its own; and what their numbers are good for. */
  readonly launched?: readonly ProcessId[];
  readonly epoch?: string;
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

/**
 * Throws an Error that says what is wrong with a record that was read. Only its shape is checked: whether a session can be
 * as it says is for whoever brings it back.
 */
export function parseRecord(text: string, sessionId: string): SessionRecord {
  const value = JSON.parse(text) as Partial<SessionRecord> | null;
  const sound =
    isSpec(value?.spec, sessionId) &&
    value !== null &&
    isPlace(value.x) &&
    isEnd(value.end) &&
    Number.isSafeInteger(value.generation) &&
    typeof value.commandId === 'string' &&
    ['running', 'hibernated', 'gone'].includes(value.wanted ?? '') &&
    typeof value.settled === 'boolean';
  if (!sound) throw new Error('it is no record of that session');
  return value as SessionRecord;
}

function isSpec(value: unknown, sessionId: string): value is SessionSpec {
  if (!isObject(value) || value['sessionId'] !== sessionId || !isObject(value['manifest'])) return false;
  const { screen } = value;
  return (
    typeof value['template'] === 'string' &&
    (screen === undefined ||
      (isObject(screen) && typeof screen['width'] === 'number' && typeof screen['height'] === 'number'))
  );
}

function isPlace(value: unknown): value is XPlace | undefined {
  if (value === undefined) return true;
  if (!isObject(value) || !Number.isSafeInteger(value['display'])) return false;
  const { server, main, launched = [], epoch } = value;
  return (
    [server, main].every((id) => id === undefined || isProcessId(id)) &&
    Array.isArray(launched) &&
    launched.every(isProcessId) &&
    (epoch === undefined || typeof epoch === 'string')
  );
}

function isEnd(value: unknown): boolean {
  if (value === undefined) return true;
  return (
    isObject(value) &&
    typeof value['reason'] === 'string' &&
    (value['state'] === 'stopped' || value['state'] === 'failed')
  );
}

function isProcessId(value: unknown): value is ProcessId {
  return isObject(value) && Number.isSafeInteger(value['pid']) && Number.isSafeInteger(value['startedAt']);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
