import { cutText, LIMITS } from '@streamspace/protocol';
import { ActivityLog, type ActivityChange } from './activity.js';
import { describeFailure, PlatformError } from './errors.js';
import type { Platform, PlatformSession, SessionUsage } from './platform.js';
import type { SessionReport } from './report-queue.js';
import { isAlive, knownFrom, type KnownSession, type SessionTable } from './session-table.js';
import { unlessAborted, withinTime } from './wait.js';

/** How long the platform may take to list its sessions, in ms; then the list is given up. */
const LIST_TIMEOUT_MS = 30_000;
/** A list that takes longer than this, in ms, is overdue: whoever asks for the agent's health hears of it. */
const OVERDUE_LIST_MS = 10_000;
/** Lists that were given up and have not ended. Past it the platform is not asked until one of them has. */
const HUNG_LISTS = 16;
/** Idleness is looked for this often within the time after which a session is idle, … */
const SWEEPS_PER_IDLE_TIME = 10;
/** … but not more rarely than this, in ms. */
const LONGEST_SWEEP_MS = 10_000;

export interface SessionMonitorOptions {
  platform: Platform;
  table: SessionTable;
  /** Whether a command of the session is being carried out: then the command tells what becomes of it. */
  isBusy: (sessionId: string) => boolean;
  report: (report: SessionReport) => void;
  /** A session is not on the platform any more: the control plane should hear the whole inventory. */
  onMissing: () => void;
  onError: (error: unknown, where: string) => void;
  idleAfterMs: number;
  usageIntervalMs: number;
  pollIntervalMs: number;
  /** @default LIST_TIMEOUT_MS */
  listTimeoutMs?: number;
  /** Monotonic time in ms. */
  now: () => number;
}

/**
 * Watches the sessions of the platform for one term and reports what no command asked for: `status` and the events
 * `adopted`, `exited`, `usage`, `idle` and `active`.
 *
 * closed → open (watching, or polling where the platform has no `watch`) → closed
 */
export class SessionMonitor {
  readonly activity: ActivityLog;
  readonly #options: SessionMonitorOptions;
  /** When a session's use of its host was last reported. */
  readonly #usageAt = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #listing: Promise<readonly PlatformSession[]> | undefined;
  #listingSince = 0;
  /** Calls of `list` that have not ended. */
  #calls = 0;
  /** Why the last list came to nothing; `undefined` where it came. */
  #failure: string | undefined;
  #unwatch: (() => void) | undefined;

  constructor(options: SessionMonitorOptions) {
    this.#options = options;
    this.activity = new ActivityLog({
      idleAfterMs: options.idleAfterMs,
      now: options.now,
      onChange: (change) => this.#activityChanged(change),
    });
  }

  /** What is wrong with the lists of the platform, a sentence. */
  get problem(): string | undefined {
    const sinceMs = this.#listing ? this.#options.now() - this.#listingSince : 0;
    if (this.#failure !== undefined) return `The platform did not list its sessions: ${this.#failure}`;
    if (sinceMs <= OVERDUE_LIST_MS) return undefined;
    return `The platform has been listing its sessions for ${Math.round(sinceMs / 1000)} s.`;
  }

  open(): void {
    const { platform, pollIntervalMs, idleAfterMs, onError } = this.#options;
    this.#unwatch = platform.watch?.((session) => this.#watched(session));
    if (!this.#unwatch)
      this.#every(pollIntervalMs, () => {
        // One that takes longer than the interval is not joined by another.
        if (this.#listing) return;
        this.survey().catch((error: unknown) => {
          if (!this.#closing.signal.aborted) onError(error, 'listing the sessions of the platform');
        });
      });
    if (idleAfterMs > 0)
      this.#every(Math.min(idleAfterMs / SWEEPS_PER_IDLE_TIME, LONGEST_SWEEP_MS), () => this.#sweep());
  }

  close(): void {
    this.#closing.abort(new Error('the agent is stopping'));
    this.#unwatch?.();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /**
   * Lists the platform's sessions, reports what has changed, and brings the table up to date. Calls that come while one
   * is under way begin another after it: what they return was listed after they were called.
   *
   * @param signal gives up waiting; the list itself goes on, for others
   * @throws what the platform throws, the signal's reason, or PlatformError `timeout`, `platform_unavailable`
   */
  survey(signal: AbortSignal = this.#closing.signal): Promise<readonly PlatformSession[]> {
    return unlessAborted(this.#nextList(), signal);
  }

  /** A session that this term finds on the platform, and that an earlier one left there. */
  adopted({ sessionId, generation, state }: PlatformSession): void {
    if (state === 'failed' || state === 'stopped') return;
    const message = `The agent found the session on its platform (${state}) and goes on with it.`;
    this.#event(sessionId, generation, 'adopted', message, { state });
  }

  async #nextList(): Promise<readonly PlatformSession[]> {
    await this.#listing?.catch(() => undefined);
    if (!this.#listing) {
      this.#listingSince = this.#options.now();
      this.#listing = this.#list()
        .then(
          (sessions) => {
            this.#failure = undefined;
            return sessions;
          },
          (error: unknown) => {
            this.#failure = describeFailure(error).error;
            throw error;
          },
        )
        .finally(() => (this.#listing = undefined));
    }
    return this.#listing;
  }

  /** The platform's own list, for as long as it may take. */
  #ask(): Promise<readonly PlatformSession[]> {
    const { platform, listTimeoutMs = LIST_TIMEOUT_MS } = this.#options;
    if (this.#calls >= HUNG_LISTS) {
      const text = `${this.#calls} lists were given up and have not ended; no more are asked for`;
      throw new PlatformError('platform_unavailable', text, true);
    }
    const late = (): Error =>
      new PlatformError('timeout', `the platform gave no list within ${listTimeoutMs} ms`, true);
    return withinTime({ ms: listTimeoutMs, signal: this.#closing.signal, late }, async (signal) => {
      this.#calls += 1;
      try {
        return await platform.list(signal);
      } finally {
        this.#calls -= 1;
      }
    });
  }

  async #list(): Promise<readonly PlatformSession[]> {
    const { table, isBusy } = this.#options;
    const clock = table.clock;
    const sessions = await this.#ask();
    const unsure = (sessionId: string): boolean => isBusy(sessionId) || table.changedSince(sessionId, clock);
    const first = !table.complete;
    const listed = new Set<string>();
    for (const session of sessions) {
      listed.add(session.sessionId);
      if (unsure(session.sessionId)) continue;
      if (first && !table.wasSeen(session.sessionId)) this.adopted(session);
      this.#seen(session);
      this.#usage(session);
    }
    for (const [sessionId, known] of table.held())
      if (!listed.has(sessionId) && !unsure(sessionId)) this.#missing(sessionId, known);
    table.markComplete();
    this.#sweep();
    return sessions;
  }

  #watched(session: PlatformSession): void {
    const { isBusy, table } = this.#options;
    if (this.#closing.signal.aborted || isBusy(session.sessionId)) return;
    // What was there before this term is for the first list to find.
    if (!table.complete && !table.wasSeen(session.sessionId)) return;
    this.#seen(session);
  }

  #seen(session: PlatformSession): void {
    const { table, report } = this.#options;
    const { sessionId, generation, state } = session;
    const known = table.known(sessionId);
    if (known && known.generation > generation) return;
    if (known?.generation === generation && known.state === state) return;
    table.set(sessionId, knownFrom(session));
    // What was not known before is for the inventory to tell.
    if (known?.generation !== generation) return;
    const reason = session.reason === undefined ? undefined : cutText(session.reason, LIMITS.textChars);
    report({
      type: 'status',
      payload: { sessionId, generation, state, ...(reason !== undefined && { reason }) },
    });
    if (state === 'failed' || state === 'stopped') this.#exited(sessionId, generation, state, reason);
  }

  #exited(sessionId: string, generation: number, state: string, reason: string | undefined): void {
    const message = reason ?? (state === 'failed' ? 'The desktop failed.' : 'The desktop ended by itself.');
    this.#event(sessionId, generation, 'exited', message, { state });
  }

  #missing(sessionId: string, known: KnownSession): void {
    const { table, onMissing } = this.#options;
    table.set(sessionId, { ...known, state: 'gone' });
    if (isAlive(known))
      this.#exited(sessionId, known.generation, 'gone', 'The platform does not have the session any more.');
    onMissing();
  }

  #usage({ sessionId, generation, state, usage }: PlatformSession): void {
    const { usageIntervalMs, now } = this.#options;
    if (!usage || state !== 'running' || usageIntervalMs === 0) return;
    const last = this.#usageAt.get(sessionId);
    if (last !== undefined && now() - last < usageIntervalMs) return;
    this.#usageAt.set(sessionId, now());
    this.#event(sessionId, generation, 'usage', describeUsage(usage), { ...usage });
  }

  #activityChanged({ kind, sessionId, quietMs, viewers }: ActivityChange): void {
    const known = this.#options.table.known(sessionId);
    if (!known) return;
    const quiet = `${Math.round(quietMs / 1000)} s`;
    const message =
      kind === 'idle' ? `No viewer gave input for ${quiet}.` : `A viewer gives input again, after ${quiet}.`;
    this.#event(sessionId, known.generation, kind, message, { quietMs, viewers });
  }

  #event(
    sessionId: string,
    generation: number,
    kind: string,
    message: string,
    data: Record<string, unknown>,
  ): void {
    this.#options.report({ type: 'session_event', payload: { sessionId, generation, kind, message, data } });
  }

  #sweep(): void {
    const running = new Set<string>();
    for (const [sessionId, { state }] of this.#options.table.held())
      if (state === 'running') running.add(sessionId);
    this.activity.sweep(running);
    for (const sessionId of this.#usageAt.keys())
      if (!running.has(sessionId)) this.#usageAt.delete(sessionId);
  }

  #every(ms: number, action: () => void): void {
    this.#timers.push(setInterval(action, Math.max(1, ms)));
  }
}

const describeUsage = ({ cpuSeconds, memoryBytes }: SessionUsage): string =>
  `${cpuSeconds.toFixed(1)} s of CPU since it was started, ${Math.round(memoryBytes / 2 ** 20)} MiB of memory.`;
