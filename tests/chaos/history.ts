import type { PlatformSession } from '@streamspace/agent-core';
import type { Action, ObservedState } from '@streamspace/protocol';

/** What a client can ask of a session; `woken` is running again, after it was hibernated. */
export type Wanted = 'running' | 'hibernated' | 'woken' | 'terminated';

/** One thing that is known of a run. What clients, database and platform say is told apart by `kind`. */
export type HistoryEvent =
  /** A client was told yes. */
  | { readonly kind: 'requested'; readonly sessionId: string; readonly wanted: Wanted }
  /** The command was made durable. */
  | {
      readonly kind: 'accepted';
      readonly commandId: string;
      readonly sessionId: string;
      /** Order within the session. */
      readonly seq: number;
      readonly generation: number;
      readonly action: Action;
      /** ms since the epoch; past it the command may fail. */
      readonly deadline: number;
    }
  /** From the platform's own log, in its order: it carried a command out. */
  | {
      readonly kind: 'effect';
      readonly commandId: string;
      readonly sessionId: string;
      readonly generation: number;
      readonly action: Action;
      /** Whether it changed anything: a command that comes again finds its work done. */
      readonly changed: boolean;
    }
  /**
   * The database came to say so of the command. One without an outcome has none; `open` is one whose outcome was taken
   * back.
   */
  | {
      readonly kind: 'outcome';
      readonly commandId: string;
      readonly state: 'completed' | 'failed' | 'open';
      readonly code?: string;
      /** ms since the epoch. */
      readonly at: number;
    }
  /** What the database says of the session in the end. */
  | {
      readonly kind: 'state';
      readonly sessionId: string;
      readonly state: string;
      readonly generation: number;
    }
  /** What the platform still lists in the end. */
  | {
      readonly kind: 'held';
      readonly sessionId: string;
      readonly generation: number;
      readonly state: ObservedState;
    };

/** `accepted`, `outcome` and `effect` are in the order in which they came to be; the others stand anywhere. */
export type History = readonly HistoryEvent[];
export type EventOf<K extends HistoryEvent['kind']> = Extract<HistoryEvent, { kind: K }>;

/** With when it came to be, in ms since the epoch, by the clock of the machine that everything runs on. */
export interface Timed<E extends HistoryEvent> {
  readonly event: E;
  readonly at: number;
}

/** The state of a session that a client was told yes to. */
export const stateWanted = (wanted: Wanted): string => (wanted === 'woken' ? 'running' : wanted);

/** What the platform holds, as events. */
export const heldEvents = (sessions: readonly PlatformSession[]): EventOf<'held'>[] =>
  sessions.map(({ sessionId, generation, state }) => ({ kind: 'held', sessionId, generation, state }));

export function eventsOf<K extends HistoryEvent['kind']>(history: History, kind: K): EventOf<K>[] {
  return history.filter((event): event is EventOf<K> => event.kind === kind);
}

export function groupBy<T>(items: Iterable<T>, key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
