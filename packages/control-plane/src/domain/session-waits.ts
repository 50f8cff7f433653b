import type { Session } from './session.js';

/** How often a waiter looks by itself: another replica may have made the change. In ms. */
const POLL_MS = 1_000;

/** Lets callers wait for sessions to change. A change in this process wakes them at once. */
export class SessionWaits {
  readonly #waiting = new Map<string, Set<() => void>>();

  changed(sessionId: string): void {
    for (const wake of this.#waiting.get(sessionId) ?? []) wake();
  }

  /**
   * Looks until the session satisfies `until`; resolves with the last look when `timeoutMs` is over.
   * Rejects with the signal's reason.
   */
  async until(
    sessionId: string,
    look: () => Promise<Session | undefined>,
    until: (session: Session | undefined) => boolean,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<Session | undefined> {
    const deadline = performance.now() + options.timeoutMs;
    for (;;) {
      options.signal.throwIfAborted();
      // Before looking, so that no change in between is missed.
      const change = this.#next(sessionId);
      try {
        const session = await look();
        const left = deadline - performance.now();
        if (until(session) || left <= 0) return session;
        await change.within(Math.min(POLL_MS, left), options.signal);
      } finally {
        change.cancel();
      }
    }
  }

  /** Resolves at the session's next change in this process, or after `ms`. Rejects with the signal's reason. */
  async change(sessionId: string, ms: number, signal: AbortSignal): Promise<void> {
    const change = this.#next(sessionId);
    try {
      await change.within(ms, signal);
    } finally {
      change.cancel();
    }
    signal.throwIfAborted();
  }

  #next(sessionId: string): {
    within: (ms: number, signal: AbortSignal) => Promise<void>;
    cancel: () => void;
  } {
    const waiters = this.#waiting.get(sessionId) ?? new Set();
    this.#waiting.set(sessionId, waiters);
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    waiters.add(wake);
    return {
      async within(ms, signal) {
        if (signal.aborted) return;
        const timer = setTimeout(wake, ms);
        signal.addEventListener('abort', wake, { once: true });
        await woken;
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
      },
      cancel: () => {
        waiters.delete(wake);
        if (waiters.size === 0 && this.#waiting.get(sessionId) === waiters) this.#waiting.delete(sessionId);
      },
    };
  }
}
