/** Being the one agent of a group that acts. */
export interface Leadership extends AsyncDisposable {
  /** Grows with each change of leader; absent where there is no group. */
  readonly fencingToken?: number;
  /** Aborts when leadership is lost: everything must stop first, and then may be cleaned up. */
  readonly lost: AbortSignal;
  /**
   * Stops renewing and does not release: the next leader comes when the lease has run out. For a leader that cannot
   * say that it has stopped acting.
   */
  abandon(): void;
}

/** How agents of one group agree on a leader. */
export interface LeaderElection {
  /** Resolves once this agent leads; rejects with the signal's reason when it aborts. */
  campaign(signal: AbortSignal): Promise<Leadership>;
}

/** For an agent without a group: it leads at once and for ever. */
export function alwaysLeader(): LeaderElection {
  return {
    async campaign(signal) {
      signal.throwIfAborted();
      return { lost: new AbortController().signal, abandon() {}, async [Symbol.asyncDispose]() {} };
    },
  };
}
