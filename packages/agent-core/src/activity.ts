/** What became of a session whose viewers were watched for input. */
export type ActivityChange =
  | { readonly kind: 'idle'; readonly sessionId: string; readonly quietMs: number; readonly viewers: number }
  | {
      readonly kind: 'active';
      readonly sessionId: string;
      readonly quietMs: number;
      readonly viewers: number;
    };

interface Watched {
  status: 'active' | 'idle';
  lastInputAt: number;
}

export interface ActivityLogOptions {
  /** Without input for this long a session is idle, in ms; 0 means never. */
  idleAfterMs: number;
  onChange: (change: ActivityChange) => void;
  /** Monotonic time in ms. */
  now: () => number;
}

/**
 * Which running sessions somebody works with. A session: active ⇄ idle; it begins as active when it is first seen, and
 * viewers that only watch do not count. Costs a number per input message, and a pass over the sessions per `sweep`.
 */
export class ActivityLog {
  readonly #options: ActivityLogOptions;
  readonly #watched = new Map<string, Watched>();
  /** Viewers by session. */
  readonly #viewers = new Map<string, number>();

  constructor(options: ActivityLogOptions) {
    this.#options = options;
  }

  viewerCame(sessionId: string): void {
    this.#viewers.set(sessionId, (this.#viewers.get(sessionId) ?? 0) + 1);
  }

  viewerLeft(sessionId: string): void {
    const left = (this.#viewers.get(sessionId) ?? 1) - 1;
    if (left > 0) this.#viewers.set(sessionId, left);
    else this.#viewers.delete(sessionId);
  }

  input(sessionId: string): void {
    const watched = this.#watched.get(sessionId);
    if (!watched) return;
    const now = this.#options.now();
    const quietMs = now - watched.lastInputAt;
    watched.lastInputAt = now;
    if (watched.status === 'active') return;
    watched.status = 'active';
    this.#tell('active', sessionId, quietMs);
  }

  /** Begins with sessions that run, forgets those that don't, and tells which have become idle. */
  sweep(running: ReadonlySet<string>): void {
    const { idleAfterMs, now } = this.#options;
    for (const sessionId of this.#watched.keys())
      if (!running.has(sessionId)) this.#watched.delete(sessionId);
    const time = now();
    for (const sessionId of running) {
      const watched = this.#watched.get(sessionId);
      if (!watched) this.#watched.set(sessionId, { status: 'active', lastInputAt: time });
      else if (watched.status === 'active' && idleAfterMs > 0 && time - watched.lastInputAt >= idleAfterMs) {
        watched.status = 'idle';
        this.#tell('idle', sessionId, time - watched.lastInputAt);
      }
    }
  }

  #tell(kind: ActivityChange['kind'], sessionId: string, quietMs: number): void {
    const viewers = this.#viewers.get(sessionId) ?? 0;
    this.#options.onChange({ kind, sessionId, quietMs: Math.round(quietMs), viewers });
  }
}
