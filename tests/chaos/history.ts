import type { Action } from '@streamspace/protocol';

/** One thing that is known of a run. What clients, database and platform say is told apart by `kind`. */
export type HistoryEvent =
  /** A client was told yes: the session is to be running, or to be gone. */
  | { readonly kind: 'requested'; readonly sessionId: string; readonly wanted: 'running' | 'terminated' }
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
  /** What the database says of the command in the end. A command without an outcome has none. */
  | {
      readonly kind: 'outcome';
      readonly commandId: string;
      readonly state: 'completed' | 'failed';
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
  /** What the platform still holds in the end. */
  | { readonly kind: 'held'; readonly sessionId: string; readonly generation: number };

export type History = readonly HistoryEvent[];
export type EventOf<K extends HistoryEvent['kind']> = Extract<HistoryEvent, { kind: K }>;

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
