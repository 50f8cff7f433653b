import { LIMITS } from '@streamspace/protocol';
import { ActivityLog, type ActivityChange } from './activity.js';
import { PlatformError } from './errors.js';
import type { Platform, PlatformSession, SessionUsage } from './platform.js';
import type { SessionReport } from './report-queue.js';
import { isAlive, knownFrom, type KnownSession, type SessionTable } from './session-table.js';
import { withinTime } from './wait.js';

/** How long the platform may take to list its sessions, in ms; then the list is given up. */
const LIST_TIMEOUT_MS = 30_000;
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
  #unwatch: (() => void) | undefined;

  constructor(options: SessionMonitorOptions) {
    this.#options = options;
    this.activity = new ActivityLog({
      idleAfterMs: options.idleAfterMs,
      now: options.now,
      onChange: (change) => this.#activityChanged(change),
    });
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
   */
  async survey(): Promise<readonly PlatformSession[]> {
    await this.#listing?.catch(() => undefined);
    this.#listing ??= this.#list().finally(() => (this.#listing = undefined));
    return this.#listing;
  }

  /** A session that this term finds on the platform, and that an earlier one left there. */
  adopted({ sessionId, generation, state }: PlatformSession): void {
    if (state === 'failed' || state === 'stopped') return;
    const message = `The agent found the session on its platform (${state}) and goes on with it.`;
    this.#event(sessionId, generation, 'adopted', message, { state });
  }

  async #list(): Promise<readonly PlatformSession[]> {
    const { platform, table, isBusy } = this.#options;
    const clock = table.clock;
    const late = (): Error =>
      new PlatformError('timeout', `the platform gave no list within ${LIST_TIMEOUT_MS} ms`, true);
    const sessions = await withinTime({ ms: LIST_TIMEOUT_MS, signal: this.#closing.signal, late }, (signal) =>
      platform.list(signal),
    );
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
    const reason = session.reason?.slice(0, LIMITS.textChars);
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
